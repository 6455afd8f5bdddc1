"""Ranks and what they agree on. One process without torchrun is a world of one, and needs no process group."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from switchseg.errors import UserError


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
            values = values.clone()
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Return whether `flag` is set on some rank."""
        return flag if self.size == 1 else bool(self.sum(torch.tensor(int(flag), device=self.device)))

    def barrier(self) -> None:
        """Wait until every rank is here."""
        if self.size > 1:
            dist.barrier()


def is_main_process() -> bool:
    """Return whether this process is the first of all that torchrun started, or the only one."""
    return int(os.environ.get("RANK", 0)) == 0


@contextlib.contextmanager
def joined_world(device: str = "auto", timeout_seconds: float = 600.0) -> Iterator[World]:
    """Join the ranks that torchrun started, or be a world of one, on `device` (`auto`, `cpu`, `cuda`, `cuda:1`).

    Raises:
        UserError: the device is not there, or a rank did not arrive within `timeout_seconds`.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", 0)))
    if size == 1:
        yield World(rank=0, size=1, device=chosen)
        return
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, timeout=timedelta(seconds=timeout_seconds))
    except dist.DistError as error:
        raise UserError(
            f"rank {rank} of {size}: not every rank arrived at {os.environ.get('MASTER_ADDR')}:"
            f"{os.environ.get('MASTER_PORT')} within {timeout_seconds:.0f} s ({str(error).splitlines()[0]}); "
            "check that all nodes were started with the same rendezvous endpoint and number of nodes"
        ) from None
    try:
        yield World(rank=rank, size=size, device=chosen)
    finally:
        dist.destroy_process_group()


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """Return the device that `name` stands for; `auto` and `cuda` take the GPU of this local rank.

    Raises:
        UserError: the device is unknown or absent.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device {name!r} is unknown; use auto, cpu, cuda or cuda:INDEX") from None
    if device.type != "cuda":
        return device
    if not torch.cuda.is_available():
        raise UserError(f"device {name!r} was asked for, but PyTorch sees no GPU here; use auto or cpu")
    device = torch.device("cuda", local_rank if device.index is None else device.index)
    if (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device {device} was asked for, but there are only {torch.cuda.device_count()} GPUs")
    torch.cuda.set_device(device)
    return device
