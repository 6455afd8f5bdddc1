"""Whether an exported file says what the model says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from switchseg.errors import UserError, first_line
from switchseg.export.network import Deployed

SIZES = ((1, 3, 128, 160), (2, 3, 200, 136), (1, 3, 264, 328), (1, 3, 33, 97), (2, 3, 8, 8))
"""Sizes (N, 3, H, W) that the network was not traced with; the deepest maps of the last one have a single cell."""

Run = Callable[[npt.NDArray[np.generic]], npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Parity:
    """How a file compares with the model over `SIZES`."""

    agreement: float
    """Share of the pixels whose class is the same."""
    difference: float
    """Largest difference of an output value, relative to the largest value; 0 for labels."""

    def __str__(self) -> str:
        sizes = ", ".join(f"{n}x{h}x{w}" for n, _, h, w in SIZES)
        return f"{100 * self.agreement:.4f} % equal labels, values within {self.difference:.1e} (images of {sizes})"


def compare(network: Deployed, run: Run) -> Parity:
    """Compare what `run` returns for images with what the network returns.

    Args:
        network: The model behind its interface.
        run: Takes images [N, 3, H, W] and returns the file's output.

    Raises:
        UserError: `run` fails at one of `SIZES`, or returns another shape than the network.
    """
    equal, pixels, difference = 0, 0, 0.0
    for seed, size in enumerate(SIZES):
        # Other images than the traced ones, whose seed is 0.
        images = network.example(size, seed + 1)
        with torch.inference_mode():
            expected = network(images).numpy()
        try:
            found = run(images.numpy())
        except Exception as error:  # whatever the runtime says of a program that was frozen at another size
            raise UserError(
                f"the export does not run on images {size} ({first_line(error)}); it was not written"
            ) from None
        # NumPy would broadcast and compare what does not correspond.
        if found.shape != expected.shape:
            raise UserError(f"the export returns the shape {found.shape} for images {size}, not {expected.shape}")
        if network.interface.output != "labels":
            # Not by element: logits near 0 would make any rounding look large.
            scale = max(float(np.abs(expected).max()), 1e-12)
            worst = float(np.abs(found.astype(np.float64) - expected).max()) / scale
            # Not `max`, which may keep the number and drop what is none.
            difference = float(np.maximum(difference, worst))
            expected, found = expected.argmax(1), found.argmax(1)
        equal += int((found == expected).sum())
        pixels += expected.size
    return Parity(equal / pixels, difference)


def require(parity: Parity, what: str) -> None:
    """Raise a UserError unless labels agree on 99.99 % of the pixels and values to 0.1 %."""
    if parity.agreement < 0.9999 or not parity.difference <= 1e-3:
        raise UserError(f"{what} was not written: it does not agree with the model ({parity})")
