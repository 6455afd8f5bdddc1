"""A world of one needs no launcher; a device that is not there is one line."""

import pytest
import torch
import torch.distributed as dist

from switchseg.distributed import choose_device, joined_world
from switchseg.errors import UserError


def test_one_process_needs_no_process_group():
    with joined_world("cpu") as world:
        assert (world.rank, world.size, world.is_main) == (0, 1, True)
        assert not dist.is_initialized()
        assert torch.equal(world.sum(torch.tensor([1.0, 2.0])), torch.tensor([1.0, 2.0]))
        assert world.any(True)
        assert not world.any(False)
        world.barrier()


def test_auto_is_a_device_that_works():
    assert torch.zeros(1, device=choose_device("auto")).item() == 0


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(UserError, match=repr(name)):
        choose_device(name)
