"""`.pt2` files: programs of torch.export, to be loaded without this library."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram

from switchseg import files
from switchseg.export.network import Deployed, trace
from switchseg.export.parity import Parity, Run, compare, require

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
    """Return what `trace` returned of the network as the content of a file."""
    content = io.BytesIO()
    torch.export.save(traced, content, extra_files={DESCRIPTION: network.describe()})
    return content.getvalue()


def runner(content: bytes) -> Run:
    """Return a function from images to the program's output."""
    program = torch.export.load(io.BytesIO(content)).module()

    def run(images: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        with torch.inference_mode():
            return np.asarray(program(torch.from_numpy(images)).numpy())

    return run
