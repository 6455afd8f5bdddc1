#!/usr/bin/env bash
# What has to be measured on a GPU: benchmarks/gpu.sh all, or PART...
# `all` takes the parts in order of worth, each for a limited time: ten minutes at most, and nine more for `study`, which
# it leaves out without CAMVID. It ends at once if anything is missing. It works without network, with torch 2.11.
# Rows go to benchmarks/results.csv, logs to $LOGS. More trainings, several at a time, are in benchmarks/study.py.
#
#   ready     whether modules and libraries are there and a layer is right, in seconds
#   host      what a layer costs the host
#   norms     the 53 norms of a dilated ResNet-50 as kernels alone (CUDA graphs), against torch's own and the floor,
#             in bfloat16 and float32 and in both layouts
#   train     whole training steps, eager and captured, 1 to 8 images
#   parity    the kernels, the launches and captured steps against the formula, Triton's launches and eager steps
#   compiled  whole training steps by torch.compile
#   study     CamVid from ImageNet weights, as many runs as nine minutes allow; needs CAMVID
#
# Environment: PYTHON (.venv/bin/python), DEVICE (cuda), SIZE (512), PRECISION (bf16), CAMVID, LOGS (runs/gpu).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python} device=${DEVICE:-cuda} size=${SIZE:-512} precision=${PRECISION:-bf16} logs=${LOGS:-runs/gpu}
export PYTHONUNBUFFERED=1

bench() { "$python" -W ignore -m switchseg bench "$@"; }

ready() { "$python" -W ignore -m benchmarks.ready "$device"; }

host() { bench host --device "$device"; }

norms() {
    local options
    for options in "bfloat16 --channels-last" "float32 --channels-last" "bfloat16" "float32"; do
        # shellcheck disable=SC2086
        bench norms --encoder resnet50_dilated8 --size "$size" "$size" --device "$device" --graphs --no-parity --no-memory --rounds 7 \
            --dtype $options
    done
}

steps() {
    bench train --encoder resnet50_dilated8 --size "$size" "$size" --images 2 8 1 4 --device "$device" --precision "$precision" \
        --channels-last --norms bn sn gn torchvision-bn --rounds 5 --in-a-row 8 --modes "$@"
}

train() { steps eager captured; }

compiled() { steps compiled; }

parity() {
    "$python" -m pytest -q -n 10 --tb=short -p no:cacheprovider -o filterwarnings= -m "slow or not slow" tests/norms/operator/test_cuda.py \
        tests/norms/operator/test_surroundings.py tests/norms/operator/test_launches.py tests/engine/test_capture_on_device.py \
        -k "device or launch"
}

study() { "$python" benchmarks/study.py norms --camvid "${CAMVID:?the folder of CamVid}" --out "$logs/study" --seconds "${1:-540}" --jobs 6; }

run() { # part, seconds
    local status=0
    mkdir -p "$logs"
    timeout "$2" "$BASH" "$0" "$1" >"$logs/$1.log" 2>&1 || status=$?
    echo "== $1: exit $status"
    tail -n 30 "$logs/$1.log" | cut -c 1-160
    return "$status"
}

for part in "$@"; do
    case $part in
        all)
            run ready 50
            for limited in "host 40" "norms 150" "train 100" "parity 180" "compiled 60" ${CAMVID:+"study 560"}; do
                # shellcheck disable=SC2086
                run $limited || true
            done
            ;;
        ready | host | norms | train | parity | compiled | study) "$part" ;;
        *) echo "unknown part '$part': all, ready, host, norms, train, parity, compiled or study" >&2 && exit 2 ;;
    esac
done
