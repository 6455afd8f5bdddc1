#!/usr/bin/env bash
# What has to be measured on a GPU, in parts that fit into ten minutes each: benchmarks/gpu.sh PART...
# Rows go to benchmarks/results.csv, runs to $RUNS; a part that was stopped goes on when it is called again.
#
#   parity   the Triton kernels against the reference; nothing else means anything before this passes
#   norms    SN against torch's norms, the plain formula and the floor, kernels alone (CUDA graphs) and with their launches
#   train    whole training steps, eager, captured and compiled, 1 to 8 images
#   camvid   SyncBN, GN, SN and SSN with ResNet-50 from scratch, 2 images a step, STEPS steps, one run per seed of SEEDS
#   batches  the same for SN, SyncBN and GN at 1, 4 and 8 images a step, for as many images as `camvid`
#
# Environment: PYTHON, DEVICE (cuda), CAMVID (data/CamVid), RUNS (runs/gpu), STEPS (40000), SEEDS (304 305 306), SIZE (512), PRECISION (bf16),
# EXTRA (more flags for compare).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python} device=${DEVICE:-cuda} camvid=${CAMVID:-data/CamVid} runs=${RUNS:-runs/gpu}
steps=${STEPS:-40000} seeds=${SEEDS:-304 305 306} size=${SIZE:-512}
config=configs/camvid/resnet50_dilated8-c1_bilinear_deepsup-sn.yaml

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

compare() { # seed, images a step, norms...
    local seed=$1 images=$2
    shift 2
    # shellcheck disable=SC2086
    switchseg compare "$config" --norms "$@" --out "$runs/images-$images/seed-$seed" --data.root "$camvid" --train.seed "$seed" \
        --train.images-per-device "$images" --train.steps $((steps * 2 / images)) --train.device "$device" ${EXTRA:-}
}

camvid() { for seed in $seeds; do compare "$seed" 2 syncbn gn sn ssn; done; }

batches() { for seed in $seeds; do for images in 1 4 8; do compare "$seed" "$images" syncbn gn sn; done; done; }

for part in "$@"; do
    case $part in
        parity | norms | train | camvid | batches) "$part" ;;
        *) echo "unknown part '$part': parity, norms, train, camvid or batches" >&2 && exit 2 ;;
    esac
done
