"""Work on a GPU that is recorded once and then runs by one launch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

Result: TypeAlias = "Tensor | None"


class Graph(Protocol):
    """What `torch.cuda.CUDAGraph` can do."""

    def record(self, work: Callable[[], Result]) -> Result:
        """Record what `work` queues on the device, without running it; return where its result will lie."""
        ...

    def replay(self) -> None:
        """Run what was recorded, on the tensors that it was recorded with."""
        ...


class CudaGraphs:
    """Makes graphs for the current device in one pool of memory: they never run at the same time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self) -> Graph:
        """Return an empty graph."""
        return _CudaGraph(self._pool)


class _CudaGraph:
    def __init__(self, pool: Any) -> None:
        self._graph, self._pool = torch.cuda.CUDAGraph(), pool

    def record(self, work: Callable[[], Result]) -> Result:
        current = torch.cuda.current_stream()
        # On the stream of the eager calls, whose workspaces are there; the default stream cannot be recorded.
        stream = None if current == torch.cuda.default_stream() else current
        device = torch.cuda.current_device()
        # Recording changes the generator's state, and a recording that breaks does not change it back.
        generator = torch.cuda.default_generators[device]
        untouched = generator.clone_state()
        try:
            # "thread_local": a data loader's thread may pin memory meanwhile.
            with torch.cuda.graph(self._graph, self._pool, stream, capture_error_mode="thread_local"):
                return work()
        except BaseException:
            # So it is with the stream and the pool that memory is taken from.
            torch.cuda.set_stream(current)
            generator.graphsafe_set_state(untouched)
            with contextlib.suppress(RuntimeError, AttributeError):  # where ending it came as far as this
                torch._C._cuda_endAllocateToPool(device, self._pool)
            raise

    def replay(self) -> None:
        self._graph.replay()
