"""Semantic segmentation for small batches, built around Switchable Normalization.

The public names load on first use, so that `import switchseg` stays cheap and never imports torch by itself.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Looked up by `__getattr__` below: importing these here would load torch for `switchseg --help` too.
_HOMES = {
    "create_model": "switchseg.models.create",
    "load_model": "switchseg.checkpoints.model_directory",
    "Predictor": "switchseg.engine.predictor",
}

__all__ = ["Predictor", "__version__", "create_model", "load_model"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'switchseg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
