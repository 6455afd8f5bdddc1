"""`.pt2` files: programs of torch.export, to be loaded without this library."""

from __future__ import annotations

import io
import math
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import fx
from torch.export import ExportedProgram

from switchseg import files
from switchseg.export.network import Deployed
from switchseg.export.parity import Parity, Run, compare, require
from switchseg.export.trace import refused, trace

DESCRIPTION = "switchseg.json"
"""The extra file inside that says what goes in and what comes out."""


def export_program(network: Deployed, path: Path) -> Parity:
    """Write the network to `path` and return how it compares with the model.

    Raises:
        UserError: the program does not agree with the model; nothing is then written.
    """
    # In memory first: what is compared is what was read back, and nothing lies there if it does not agree.
    content = to_pt2(network, trace(network))
    parity = compare(network, runner(content))
    require(parity, str(path))
    with files.replacing(path) as file:
        file.write(content)
    return parity


def to_pt2(network: Deployed, traced: ExportedProgram) -> bytes:
    """Return what `trace` returned of the network, which is changed for it, as the content of a file.

    Raises:
        UserError: torch cannot write it.
    """
    content = io.BytesIO()
    with refused(network):
        _divide_in_whole_numbers(traced.graph_module)
        torch.export.save(traced, content, extra_files={DESCRIPTION: network.describe()})
    return content.getvalue()


def runner(content: bytes) -> Run:
    """Return a function from images to the program's output."""
    program = torch.export.load(io.BytesIO(content)).module()

    def run(images: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        with torch.inference_mode():
            return np.asarray(program(torch.from_numpy(images)).numpy())

    return run


def _divide_in_whole_numbers(module: fx.GraphModule) -> None:
    """Write `ceil(a / b)` of sizes as `-(-a // b)`: files of torch.export have no operator that rounds up."""

    def value(of: Any) -> Any:
        return of.meta["val"] if isinstance(of, fx.Node) else of

    def call(function: Callable[..., Any], *args: Any) -> fx.Node:
        node = module.graph.call_function(function, args)
        node.meta["val"] = function(*map(value, args))
        return node

    for node in list(module.graph.nodes):
        quotient = node.args[0] if node.target is math.ceil else None
        if not isinstance(quotient, fx.Node) or quotient.target is not operator.truediv:
            continue
        with module.graph.inserting_before(node):
            size, divisor = quotient.args
            rounded = call(operator.neg, call(operator.floordiv, call(operator.neg, size), divisor))
        node.replace_all_uses_with(rounded)
    # The divisions that nobody needs any more cannot be written either.
    module.graph.eliminate_dead_code()
    module.recompile()
