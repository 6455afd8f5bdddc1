"""Streams and copies: nothing on the CPU; on a device the copies keep out of each other's way."""

import contextlib

import pytest
import torch

from switchseg.engine.streams import Staging, own_stream
from tests.engine.steps import make_batch

ON_DEVICE = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_the_cpu_has_no_streams() -> None:
    assert isinstance(own_stream(torch.device("cpu")), contextlib.nullcontext)


def test_a_batch_on_the_cpu_stays_where_it_is() -> None:
    batch = make_batch()
    staged = Staging(torch.device("cpu"))(batch)
    assert staged.images.data_ptr() == batch.images.data_ptr()
    assert staged.names == batch.names


@ON_DEVICE
def test_a_batch_reaches_the_device_whole() -> None:
    device = torch.device("cuda")
    batch = make_batch().pin_memory()
    with own_stream(device):
        staged = Staging(device)(batch)
        assert torch.cuda.current_stream() != torch.cuda.default_stream()
        torch.cuda.current_stream().synchronize()
    assert torch.equal(staged.images.cpu(), batch.images)
    assert torch.equal(staged.labels.cpu(), batch.labels)
