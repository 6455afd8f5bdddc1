import pytest
import torch

from switchseg.metrics.pairs import count_pairs


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_arrays_of_other_shapes_are_refused(dtype):
    """The loop over bytes would read past the end of the shorter one, and torch would repeat it."""
    with pytest.raises(ValueError, match=r"one shape, got \(4,\) and \(1,\)"):
        count_pairs(torch.zeros(4, dtype=dtype), torch.zeros(1, dtype=dtype), 256)
