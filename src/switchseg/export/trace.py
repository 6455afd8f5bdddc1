"""From a network to a program of ATen operators that takes images of any size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.value_ranges import ValueRanges

from switchseg.errors import UserError, first_line
from switchseg.export.network import Deployed
from switchseg.export.timm_sizes import traceable_sizes

FIRST_SIZE = (1, 3, 64, 64)
"""(N, 3, H, W) of the image that a network sees before it is traced."""

TRACED_SIZE = (2, 3, 899, 963)
"""(N, 3, H, W) of the images that are traced; only shapes are computed. No two numbers are equal or 1, which would tie
or freeze sizes. At strides from 4 to 32 the maps are larger than the windows of any encoder, and their sides multiples
neither of 2 nor of 7, 8 or 12: an encoder that pads where it must takes the way with padding, which may then be of no
cell."""


class WithLogits(nn.Module):
    """A network that also returns its logits: labels at another size than the input's are made of them."""

    def __init__(self, network: Deployed) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the network returns, and its logits."""
        logits = self.network.logits(images)
        return self.network.finished(logits, images), logits


@contextlib.contextmanager
def refused(network: Deployed) -> Iterator[None]:
    """Turn whatever an exporter raises of a network that it cannot take into a UserError."""
    try:
        yield
    except UserError:
        raise
    # Exporters raise whatever their passes stumble over; the types differ from version to version of torch.
    except Exception as error:
        raise UserError(
            f"encoder {network.spec.encoder!r} with decoder {network.spec.decoder!r} cannot be exported "
            f"({first_line(error)})"
        ) from error


def trace(network: Deployed, *, with_logits: bool = False) -> ExportedProgram:
    """Return the network as a program of ATen operators whose batch size, height and width are free.

    Raises:
        UserError: torch cannot trace it.
    """
    module = WithLogits(network) if with_logits else network
    example = network.example(TRACED_SIZE)
    free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    # Without this, tracing assumes that no map ever has a side of 1, and makes the program refuse such images.
    oblivious = _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with torch.no_grad(), oblivious, refused(network), traceable_sizes():
        # What attention keeps from its first call on has to be there: tracing would lose it.
        module(network.example(FIRST_SIZE))
        program = torch.export.export(module, (example,), dynamic_shapes={"images": free})
    # Some families' code asks for sizes, mostly to choose an order in memory, and each answer would become a condition
    # on the images. Whether the program is right at other sizes is not assumed but compared, before it is written.
    program._guards_code = []
    program.range_constraints.update(dict.fromkeys(program.range_constraints, ValueRanges(1, int_oo)))
    return program
