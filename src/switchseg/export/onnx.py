"""ONNX files, for onnxruntime and whatever else reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram

from switchseg import files
from switchseg.errors import UserError
from switchseg.export.network import Deployed
from switchseg.export.parity import Parity, Run, compare, require
from switchseg.export.trace import refused, trace

INPUT, LOGITS = "images", "logits"
DESCRIPTION = "switchseg"
"""The key of the file's metadata that says, as JSON, what goes in and what comes out."""


def export_onnx(network: Deployed, path: Path) -> Parity:
    """Write the network to `path` and return how it compares with the model in onnxruntime.

    Raises:
        UserError: onnx or onnxruntime is missing, or the file does not agree with the model; nothing is then written.
    """
    content = to_onnx(network)
    parity = compare(network, runner(content))
    require(parity, str(path))
    with files.replacing(path) as file:
        file.write(content)
    return parity


def to_onnx(network: Deployed, traced: ExportedProgram | None = None) -> bytes:
    """Return the network as an ONNX model with free batch size, height and width.

    Its first output is the interface's, its last one the logits; if these are the same, there is one.

    Args:
        network: The model behind its interface.
        traced: What `trace` returned of it for these outputs, if it is there already.

    Raises:
        UserError: a package is missing, or torch cannot trace or translate the network.
    """
    require_onnx()
    # Two outputs of one name are not allowed in ONNX.
    outputs = list(dict.fromkeys([network.interface.output, LOGITS]))
    if traced is None:
        traced = trace(network, with_logits=len(outputs) > 1)
    with refused(network):
        program = torch.onnx.export(
            traced,
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=outputs,
        )
    assert program is not None
    program.model.metadata_props[DESCRIPTION] = network.describe()
    model = program.model_proto
    _name_sizes(model.graph)
    return bytes(model.SerializeToString())


def session(content: bytes | Path, threads: int = 0) -> Any:
    """Return an onnxruntime session on the CPU; 0 threads leaves their number to onnxruntime."""
    require_onnx()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Errors only: warnings about its own optimizations say nothing to whoever exports.
    options.log_severity_level = 3
    source = content if isinstance(content, bytes) else str(content)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def runner(content: bytes | Path) -> Run:
    """Return a function from images to the model's output."""
    opened = session(content)

    def run(images: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.asarray(opened.run(None, {INPUT: images})[0])

    return run


def _name_sizes(graph: Any) -> None:
    """Call the free sizes by their names instead of the symbols that tracing gave them."""
    batch, _, height, width = graph.input[0].type.tensor_type.shape.dim
    names = {batch.dim_param: "batch", height.dim_param: "height", width.dim_param: "width"}
    # Whole words, for a size may be a term such as `s1//8`, and `s1` begins `s10` too.
    symbol = re.compile(r"\b(" + "|".join(names) + r")\b")
    # Intermediate maps as well: viewers show their sizes.
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = symbol.sub(lambda match: names[match[1]], size.dim_param)


def require_onnx() -> None:
    """Raise a UserError unless the packages of the extra `export` are installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"ONNX needs the package {error.name}: pip install 'switchseg[export]'") from None
