"""Semantic segmentation for small batches, built around Switchable Normalization.

The public names load on first use, so that `import switchseg` stays cheap and never imports torch by itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from switchseg.checkpoints.model_directory import load_model
    from switchseg.engine.evaluate import evaluate
    from switchseg.engine.predictor import Predictor
    from switchseg.engine.train import train
    from switchseg.models.create import create_model

__version__ = "0.1.0"

__all__ = ["Predictor", "__version__", "create_model", "evaluate", "load_model", "train"]


# Where the names are at run time; the imports above are for type checkers. Here they would load torch for `--help` too.
_HOMES = {
    "Predictor": "switchseg.engine.predictor",
    "create_model": "switchseg.models.create",
    "evaluate": "switchseg.engine.evaluate",
    "load_model": "switchseg.checkpoints.model_directory",
    "train": "switchseg.engine.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'switchseg' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
