"""Models as files that run without this library, checked against the model before they are written."""

from collections.abc import Callable
from pathlib import Path

from switchseg.export.network import Deployed, Interface, Output
from switchseg.export.onnx import export_onnx
from switchseg.export.parity import Parity
from switchseg.export.program import export_program

# format -> (network, file to write) -> how the file compares with the model
TARGETS: dict[str, Callable[[Deployed, Path], Parity]] = {
    "onnx": export_onnx,
    "pt2": export_program,
}

__all__ = ["TARGETS", "Deployed", "Interface", "Output", "Parity", "export_onnx", "export_program"]
