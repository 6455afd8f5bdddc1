"""A stand-in for a CUDA graph on the CPU: it records torch's operators on the tensors that they were called with.

Like the real thing it runs nothing while it records, and a replay knows only what lies in tensors: a number that the
host computed while recording stays as it was then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "item", "unique", "_unique2", "bincount"}
"""Operators that make the host wait for a GPU."""


class WaitedError(AssertionError):
    """An operator was called that waits for the device."""


class NoWaits(TorchDispatchMode):
    """Counts the operators that would wait for a GPU; more than `allowed` of them are an error."""

    def __init__(self, allowed: int = 0) -> None:
        super().__init__()
        self.allowed, self.waits = allowed, 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        indexed = function.overloadpacket in (torch.ops.aten.index, torch.ops.aten.index_put_) and any(
            isinstance(index, Tensor) and index.dtype == torch.bool for index in args[1]
        )
        if indexed or function.overloadpacket.__name__ in WAITING:
            self.waits += 1
            if self.waits > self.allowed:
                raise WaitedError(str(function))
        return function(*args, **(kwargs or {}))


class _Recorder(TorchDispatchMode):
    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape
        self._made: dict[int, Tensor] = {}  # kept, so that no number is used twice
        self.before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function.overloadpacket.__name__ in WAITING:
            raise WaitedError(str(function))
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor) and id(tensor) not in self._made and id(tensor) not in self.before:
                self.before[id(tensor)] = (tensor, tensor.clone())
        result = function(*args, **kwargs)
        aliases = [value.alias_info for value in function._schema.returns]
        views = any(alias is not None and not alias.is_write for alias in aliases)
        outputs = [tensor for tensor in tree_leaves(result) if isinstance(tensor, Tensor)]
        for tensor in outputs:
            if id(tensor) not in self.before:
                self._made[id(tensor)] = tensor
        if not views:  # they lie in memory that stays where it is
            fresh = [] if any(alias is not None for alias in aliases) else outputs
            self._tape.calls.append((function, args, kwargs, fresh))
        return result


class Tape:
    """The interface of `engine.cuda_graphs.Graph`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.replays = 0

    def record(self, work: Callable[[], Any]) -> Any:
        state = torch.get_rng_state()
        recorder = _Recorder(self)
        try:
            with recorder:
                return work()
        finally:
            torch.set_rng_state(state)
            with torch.no_grad():
                for tensor, value in recorder.before.values():
                    tensor.copy_(value)

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        for function, args, kwargs, fresh in self.calls:
            again = [tensor for tensor in tree_leaves(function(*args, **kwargs)) if isinstance(tensor, Tensor)]
            for tensor, value in zip(fresh, again, strict=True) if fresh else ():
                if tensor.numel():
                    tensor.copy_(value)
