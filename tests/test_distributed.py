"""A world of one needs no launcher; a device that is not there is one line."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from switchseg.distributed import _agree_on_attempt, choose_device, joined_world
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


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cuda:x", "mps", "meta", ""])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(UserError, match=repr(name)):
        choose_device(name)


def test_ranks_agree_on_an_attempt_in_a_store_that_has_seen_others():
    """torchrun keeps its store over restarts: a rank that comes first finds the attempt that is over."""
    store, timeout = dist.HashStore(), timedelta(seconds=60)
    names = []
    for order in ((1, 2, 0), (0, 1, 2)):
        with ThreadPoolExecutor(3) as ranks:
            agreed = {ranks.submit(_agree_on_attempt, store, rank, 3, timeout) for rank in order}
        names.append({future.result() for future in agreed})
    assert [len(name) for name in names] == [1, 1]
    assert names[0] != names[1]


def test_a_rank_that_meets_only_the_last_attempt_gives_up():
    store = dist.HashStore()
    store.set("attempt", "over")
    with pytest.raises(dist.DistStoreError):
        _agree_on_attempt(store, 1, 2, timedelta(seconds=1))
