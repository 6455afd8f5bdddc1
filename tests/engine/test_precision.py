"""Which type a network computes in."""

import pytest
import torch
from torch import nn

from switchseg.engine.precision import compute_dtype, computing, parameter_dtype

TYPES = {
    "fp64": (torch.float64, torch.float64),
    "fp32": (torch.float32, torch.float32),
    "bf16": (torch.float32, torch.bfloat16),
    "fp16": (torch.float32, torch.float16),
}


@pytest.mark.parametrize(("precision", "types"), TYPES.items())
def test_parameters_and_maps_have_their_types(precision, types) -> None:
    assert (parameter_dtype(precision), compute_dtype(precision)) == types
    layer = nn.Linear(3, 3, dtype=parameter_dtype(precision))
    with computing(precision, torch.device("cpu")):
        assert layer(torch.zeros(1, 3, dtype=parameter_dtype(precision))).dtype is types[1]
    assert not torch.is_autocast_enabled("cpu")
