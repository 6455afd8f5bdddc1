"""Ranks and what they agree on. One process without torchrun is a world of one, and needs no process group."""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from switchseg.errors import LostRankError, UserError
from switchseg.limits import DEVICE

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """This process among all processes of the training."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this rank writes files and talks to the user."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum of `values` over all ranks, the same on every rank."""
        if self.size > 1:
            # all_reduce writes in place, and callers go on adding to what they passed: the meter, the tally.
            values = values.clone()
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Return whether `flag` is set on some rank."""
        # On this rank's device, because nccl reduces nothing that lies on the CPU.
        return flag if self.size == 1 else bool(self.sum(torch.tensor(int(flag), device=self.device)))

    def gather(self, values: list[T]) -> list[list[T]]:
        """Return the lists of all ranks, in their order, on every rank."""
        if self.size == 1:
            return [values]
        everyone: list[Any] = [None] * self.size
        dist.all_gather_object(everyone, values)
        return everyone

    def barrier(self) -> None:
        """Wait until every rank is here."""
        if self.size > 1:
            dist.barrier()


def is_main_process() -> bool:
    """Return whether this process is the first of all that torchrun started, or the only one."""
    return int(os.environ.get("RANK", 0)) == 0


def launched_ranks() -> int:
    """Return how many processes torchrun started, 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


@contextlib.contextmanager
def joined_world(device: str = "auto", timeout_seconds: float = 600.0) -> Iterator[World]:
    """Join the ranks that torchrun started, or be a world of one, on `device` (`auto`, `cpu`, `cuda`, `cuda:1`).

    Raises:
        UserError: the device is not there, or a rank did not arrive within `timeout_seconds`.
        LostRankError: in the block, the connection to another rank broke, or it did not answer for as long.
    """
    size, rank = launched_ranks(), int(os.environ.get("RANK", 0))
    # Before the others are waited for: a missing GPU is told at once, not after the timeout.
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", 0)))
    if size == 1:
        yield World(rank=0, size=1, device=chosen)
        return
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    timeout = timedelta(seconds=timeout_seconds)
    try:
        store, *_ = next(rendezvous("env://", rank, size, timeout=timeout))
        # Not `init_process_group` alone: after torchrun's restart it would find the addresses of dead ranks in the
        # store (4 of 6 restarts failed).
        store = PrefixStore(_agree_on_attempt(store, rank, size, timeout), store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
    except dist.DistError as error:
        raise UserError(
            f"rank {rank} of {size}: not every rank arrived at {os.environ.get('MASTER_ADDR')}:"
            f"{os.environ.get('MASTER_PORT')} within {timeout_seconds:.0f} s ({str(error).splitlines()[0]}); "
            "check that all nodes were started with the same rendezvous endpoint and number of nodes"
        ) from None
    try:
        yield World(rank=rank, size=size, device=chosen)
    except RuntimeError as error:
        # gloo raises a plain RuntimeError where a connection breaks; any other one is a fault of the program.
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        raise LostRankError(
            f"rank {rank} of {size}: the connection to another rank broke ({_reason(error)}); "
            "see why that rank ended, then start all of them again: they go on from the last checkpoint"
        ) from None
    finally:
        dist.destroy_process_group()


def _reason(error: RuntimeError) -> str:
    """Return what gloo or nccl say without their source file and their guesses."""
    return re.sub(r"^\[\S+\] ", "", str(error).splitlines()[0]).partition(". ")[0]


def _agree_on_attempt(store: Store, rank: int, size: int, timeout: timedelta) -> str:
    """Return a name that all ranks of this attempt have, and that no earlier attempt had.

    torchrun keeps its store when it restarts the ranks, with the addresses in it of those that are gone, and counts
    restarts differently on each node. So the first rank names the attempt, and tells each other rank by its own name.
    """
    own = uuid.uuid4().hex
    if rank == 0:
        store.set("attempt", own)
        # `get` waits until the other rank has put its name under this attempt's, which it can do only after `set`.
        for other in range(1, size):
            store.set(f"{own}/{store.get(f'{own}/{other}').decode()}", own)
        return own
    deadline = time.monotonic() + timeout.total_seconds()
    while True:
        attempt: str = store.get("attempt").decode()  # perhaps the last one, until the first rank has written
        store.set(f"{attempt}/{rank}", own)
        try:
            # Nobody answers under the name of an earlier attempt, so the wait is short and the name is read again.
            store.wait([f"{attempt}/{own}"], timedelta(seconds=1))
            return attempt
        except dist.DistStoreError:
            if time.monotonic() > deadline:
                raise


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """Return the device that `name` stands for; `auto` and `cuda` take the GPU of this local rank.

    Raises:
        UserError: the device is unknown or absent.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not DEVICE.fullmatch(name):
        raise UserError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:INDEX")
    device = torch.device(name)
    if device.type == "cpu":
        return device
    if not torch.cuda.is_available():
        raise UserError(f"device {name!r} was asked for, but PyTorch sees no GPU here; use auto or cpu")
    # An index that was named holds for every rank; without one each rank of a machine gets a GPU of its own.
    device = torch.device("cuda", local_rank if device.index is None else device.index)
    if (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device {device} was asked for, but there are only {torch.cuda.device_count()} GPUs")
    # Collectives of objects and kernels without a device argument go to the current GPU, which is 0 for all ranks else.
    torch.cuda.set_device(device)
    return device
