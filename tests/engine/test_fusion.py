import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from switchseg.engine import fusion
from switchseg.engine.fusion import fuse, probability_tiles


def plain_probabilities(maps: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """The formula of 2018, whole maps at once: [C, H, W]."""
    upsampled = [F.interpolate(m.permute(2, 0, 1)[None], size=size, mode="bilinear")[0] for m in maps]
    return torch.stack([logits.softmax(0) for logits in upsampled]).mean(0)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_tiles_equal_the_plain_formula(data: st.DataObject) -> None:
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    classes = data.draw(st.sampled_from([1, 2, 7, 300]))
    size = (data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40)))
    shapes = data.draw(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=3))
    maps = [3 * torch.randn(*shape, classes) for shape in shapes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fusion._TILE_ELEMENTS, "cpu", data.draw(st.sampled_from([1, 500, 5000, 2**18])))
        tiles = torch.full((*size, classes), float("nan"))
        for where, tile in probability_tiles(maps, size):
            tiles[where] = tile
        labels, confidence = fuse(maps, size)
    expected = plain_probabilities(maps, size)
    torch.testing.assert_close(tiles.permute(2, 0, 1), expected, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(labels, tiles.argmax(-1).numpy())
    np.testing.assert_allclose(confidence, expected.max(0).values.numpy(), atol=1e-5)
    assert labels.dtype == (np.uint8 if classes <= 255 else np.int32)


@pytest.mark.parametrize("foreground", [0, 1])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.9, 1.0])
def test_a_threshold_labels_the_foreground_where_it_is_likely_enough(foreground: int, threshold: float) -> None:
    maps = [3 * torch.randn(9, 7, 2, generator=torch.Generator().manual_seed(0)) for _ in range(2)]
    probability = plain_probabilities(maps, (18, 14))[foreground].numpy()
    labels, confidence = fuse(maps, (18, 14), (foreground, threshold))
    labelled = labels == foreground
    np.testing.assert_array_equal(labelled, probability >= threshold)
    np.testing.assert_allclose(confidence, np.where(labelled, probability, 1 - probability), atol=1e-5)
