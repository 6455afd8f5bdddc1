#!/usr/bin/env bash
# The tests of the compiled libraries under AddressSanitizer and UndefinedBehaviorSanitizer: tests/sanitize.sh [PYTEST ARGUMENT...]
# Builds the libraries anew in a copy of the sources; needs GCC with its sanitizers. PYTHON (.venv/bin/python) has the dev dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(realpath -s "${PYTHON:-.venv/bin/python}")
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r src tests benchmarks pyproject.toml setup.py README.md "$copy"
cd "$copy"
find src -name '*.so' -delete
CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined" LDFLAGS="-fsanitize=address,undefined" \
    "$python" setup.py -q build_ext --inplace

# Leaks are torch's and Python's own; their libraries are not built with the sanitizers.
export LD_PRELOAD="$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so):$(gcc -print-file-name=libstdc++.so.6)"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 PYTHONPATH="$copy/src"
OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} "$python" -m pytest -q -p no:cacheprovider tests/norms/operator/test_call.py \
    tests/norms/operator/test_eager.py tests/norms/operator/test_addresses.py tests/norms/operator/test_plan.py tests/metrics "$@"
