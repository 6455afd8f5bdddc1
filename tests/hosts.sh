#!/usr/bin/env bash
# Run the tests of the integrations with all hosts, in an environment of their own: mmengine brings a second OpenCV, and
# nnU-Net 2.8 wants an older timm than the one developed with, which it does not need for the networks that it plans.
# Usage: tests/hosts.sh [FOLDER FOR THE ENVIRONMENT]
set -euo pipefail
cd "$(dirname "$0")/.."

environment=${1:-.venv-hosts}
[ -d "$environment" ] || python3 -m venv "$environment"
pip() { "$environment/bin/pip" install --quiet -c constraints.txt "$@"; }
pip -e '.[dev]' mmengine nnunetv2 detectron2-layers setuptools wheel
pip --no-build-isolation mmcv-lite
pip --no-deps --upgrade 'nnunetv2>=2.8' 'dynamic-network-architectures>=0.4.4'
OMP_NUM_THREADS=1 "$environment/bin/python" -m pytest tests/integrations -m 'slow or not slow' "${@:2}"
