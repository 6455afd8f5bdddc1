"""What several tests of the norms need."""

import pytest
import torch
import torch.distributed as dist

from switchseg.norms import collective


@pytest.fixture
def group():
    """The name of a group of this process alone, which `name_group` would not give it: the way of several, for one."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    name = dist.group.WORLD.group_name
    collective._GROUPS[name] = dist.group.WORLD
    yield name
    del collective._GROUPS[name]
    dist.destroy_process_group()
