import torch

from switchseg.data.sample import Batch, zero_padding, zero_padding_by_mask
from switchseg.preprocessing import BGR, RGB


def batch():
    images = torch.full((2, 3, 4, 6), 7, dtype=torch.uint8)
    sizes = torch.tensor([[4, 5], [2, 6]])
    return Batch(images, torch.zeros(2, 1, 1, dtype=torch.int64), sizes, ("a", "b"))


def test_padding_is_exactly_zero_after_normalizing():
    for preprocessing in (RGB, BGR):
        values = batch().normalized(preprocessing)
        expected = preprocessing.normalize(torch.full((1, 3, 1, 1), 7, dtype=torch.uint8))
        assert torch.equal(values[0, :, :, :5], expected[0].expand(3, 4, 5))
        assert torch.equal(values[1, :, :2], expected[0].expand(3, 2, 6))
        assert not values[0, :, :, 5:].any()
        assert not values[1, :, 2:].any()


def test_to_moves_every_tensor():
    moved = batch().to("meta")
    assert moved.images.device.type == moved.labels.device.type == moved.sizes.device.type == "meta"
    assert moved.names == ("a", "b")


def test_both_ways_to_zero_the_padding_agree():
    sizes = torch.tensor([[4, 5], [2, 6], [4, 6]])
    values = torch.rand(3, 3, 4, 6) + 1
    read, masked = values.clone(), values.clone()
    zero_padding(read, sizes)
    zero_padding_by_mask(masked, sizes)
    assert torch.equal(read, masked)
    assert int((read == 0).sum()) == 3 * (4 + 12)
