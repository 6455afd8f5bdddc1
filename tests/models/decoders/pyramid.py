"""Maps of a small encoder, for decoders to be tried on."""

import torch
from torch import Tensor, nn

from switchseg.models.blocks import MapSizes

MAPS = MapSizes((8, 16, 24, 32), (4, 8, 16, 32))


def maps(seed: int = 0, height: int = 64, width: int = 96) -> list[Tensor]:
    """Return random maps of one image."""
    generator = torch.Generator().manual_seed(seed)
    pairs = zip(MAPS.channels, MAPS.strides, strict=True)
    return [torch.randn(1, c, height // s, width // s, generator=generator) for c, s in pairs]


def built(decoder: type[nn.Module], sizes: MapSizes = MAPS, norm: type[nn.Module] = nn.BatchNorm2d) -> nn.Module:
    """Return a decoder of five classes in evaluation mode, with weights that are the same at every call."""
    torch.manual_seed(0)
    return decoder(sizes, 5, norm).eval()


@torch.no_grad()
def levels_used(decoder: nn.Module) -> list[int]:
    """Return the indices of the maps that the logits depend on."""
    before = decoder(maps())
    used = []
    for level in range(len(MAPS.channels)):
        changed = maps()
        changed[level] = maps(seed=1)[level]
        if not torch.equal(decoder(changed), before):
            used.append(level)
    return used
