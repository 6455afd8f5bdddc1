"""C1 looks at the deepest map alone, and three pixels of it."""

import torch

from switchseg.models.decoders.c1 import C1
from tests.models.decoders.pyramid import built, levels_used, maps


def test_only_the_deepest_map_counts() -> None:
    assert levels_used(built(C1)) == [3]


@torch.no_grad()
def test_a_logit_sees_its_neighbours_and_no_more() -> None:
    decoder, values = built(C1), maps(height=256, width=256)
    before = decoder(values)
    values[3] = values[3].clone()
    values[3][0, :, 4, 4] += 10
    changed = (decoder(values) != before).any(1)[0].nonzero()
    assert changed.min(0).values.tolist() == [3, 3]
    assert changed.max(0).values.tolist() == [5, 5]


def test_the_width_is_a_quarter_of_the_map() -> None:
    assert built(C1).classify.in_channels == 8
