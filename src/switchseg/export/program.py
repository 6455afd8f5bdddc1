"""`.pt2` files: programs of torch.export, to be loaded without this library."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from switchseg import files
from switchseg.export.network import Deployed, trace
from switchseg.export.parity import Parity, compare, require

DESCRIPTION = "switchseg.json"
"""The extra file inside that says what goes in and what comes out."""


def export_program(network: Deployed, path: Path) -> Parity:
    """Write the network to `path` and return how it compares with the model.

    Raises:
        UserError: the program does not agree with the model; nothing is then written.
    """
    # In memory first: what is compared is what was read back, and nothing lies there if it does not agree.
    content = io.BytesIO()
    torch.export.save(trace(network), content, extra_files={DESCRIPTION: network.describe()})
    content.seek(0)
    program = torch.export.load(content).module()

    def run(images: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        with torch.inference_mode():
            return np.asarray(program(torch.from_numpy(images)).numpy())

    parity = compare(network, run)
    require(parity, str(path))
    with files.replacing(path) as file:
        file.write(content.getvalue())
    return parity
