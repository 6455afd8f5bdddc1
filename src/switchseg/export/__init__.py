"""Models as files that run without this library, checked against the model before they are written.

Importing it loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from switchseg.registry import Registry

if TYPE_CHECKING:
    from switchseg.export.network import Deployed
    from switchseg.export.parity import Parity

TARGETS: Registry[Callable[[Deployed, Path], Parity]] = Registry(
    "export format",
    {"onnx": "switchseg.export.onnx:export_onnx", "pt2": "switchseg.export.program:export_program"},
)
"""Format -> function of a network and the file to write, which returns how the file compares with the model."""
