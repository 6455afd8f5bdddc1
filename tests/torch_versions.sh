#!/usr/bin/env bash
# Run the tests of the norms with the lowest torch that pyproject.toml allows, and with the newest.
# Usage: tests/torch_versions.sh [FOLDER FOR THE ENVIRONMENTS]; a torch for CUDA takes 5 GB there.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-.venv-torch}
lowest=$(sed -n 's/^ *"torch>=\([0-9.]*\)",$/\1/p' pyproject.toml)
for torch in "torch==${lowest:?pyproject.toml names no torch}.*" torch; do
    environment="$folder/${torch//[^a-z0-9.]/-}"
    [ -d "$environment" ] || python3 -m venv "$environment"
    # Triton 3.6, which comes with torch 2.10 and 2.11, interprets kernels with a NumPy before 2.4 alone.
    "$environment/bin/pip" install --quiet "$torch" torchvision timm segmentation-models-pytorch hypothesis pytest pytest-timeout "numpy<2.4"
    "$environment/bin/python" -c "import torch; print('torch', torch.__version__)"
    OMP_NUM_THREADS=1 PYTHONPATH=src "$environment/bin/python" -m pytest tests/norms -m 'slow or not slow'
done
