#!/usr/bin/env bash
# What has to be measured on a GPU, in parts that fit into ten minutes each: benchmarks/gpu.sh PART...
# Rows go to benchmarks/results.csv. Trainings, several at a time, are in benchmarks/study.py.
#
#   parity   the Triton kernels against the reference; nothing else means anything before this passes
#   norms    SN against torch's norms, the plain formula and the floor, kernels alone (CUDA graphs) and with their launches
#   train    whole training steps, eager, captured and compiled, 1 to 8 images
#
# Environment: PYTHON, DEVICE (cuda), SIZE (512), PRECISION (bf16).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python} device=${DEVICE:-cuda} size=${SIZE:-512}

switchseg() { "$python" -m switchseg "$@"; }

parity() { "$python" -m pytest -q tests/norms/operator; }

norms() {
    local encoder options
    for encoder in resnet50_dilated8 hrnetv2; do
        for options in "--dtype bfloat16 --channels-last --graphs" "--dtype bfloat16 --channels-last" "--dtype bfloat16" "--dtype float32"; do
            # shellcheck disable=SC2086
            switchseg bench norms --encoder "$encoder" --size "$size" "$size" --device "$device" $options
        done
    done
}

train() {
    local modes
    for modes in "eager captured" "compiled"; do
        # shellcheck disable=SC2086
        switchseg bench train --encoder resnet50_dilated8 --size "$size" "$size" --images 1 2 4 8 --device "$device" \
            --precision "${PRECISION:-bf16}" --channels-last --norms bn gn sn torchvision-bn --modes $modes --rounds 5 --in-a-row 10
    done
}

for part in "$@"; do
    case $part in
        parity | norms | train) "$part" ;;
        *) echo "unknown part '$part': parity, norms or train" >&2 && exit 2 ;;
    esac
done
