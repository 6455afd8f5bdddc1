"""A function of tensors as one CUDA graph for each shape that comes again: one launch instead of thousands."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from switchseg.engine.cuda_graphs import Graph, Result
from switchseg.errors import first_line

State: TypeAlias = Mapping[str, Sequence[Tensor]]

LIMIT = 16
"""Graphs that are kept of one function."""

TOLERANCE = 0.1
"""How far a replay may be from an eager call, as a part of what the call changes: kernels that add in any order, and
low precision, stay far below; a stale input, a missing update or other random numbers are far above."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Recording:
    graph: Graph
    inputs: Sequence[Tensor]
    result: Result


class Recordings:
    """Calls a function of tensors: eagerly the first time that their shapes come, from then on as a recorded graph.

    The first replay of every graph is compared with an eager call. If recording fails, or they differ, all further
    calls are eager; that is said once, and the call that met it has done what an eager one does.

    Args:
        function: Takes tensors and returns one or None. It never waits for the device, and what it changes besides
            are the tensors of `state`.
        graphs: Makes an empty graph; None makes every call eager.
        state: Returns the tensors that `function` changes, each always the same object, by kind.
        limit: How many graphs are kept; further shapes stay eager.
        stopped: Called when recording has failed, after the state has been restored.
    """

    def __init__(
        self,
        function: Callable[..., Result],
        graphs: Callable[[], Graph] | None,
        *,
        state: Callable[[], State] = dict,
        limit: int = LIMIT,
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self._function, self._graphs, self._state = function, graphs, state
        self._limit, self._stopped = limit, stopped
        self._seen: set[Hashable] = set()
        self._kept: dict[Hashable, _Recording] = {}
        self._setting: Hashable = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def __call__(self, *inputs: Tensor, setting: Hashable = None) -> Result:
        """Return `function(*inputs)`, in memory of the caller's own.

        Args:
            *inputs: Tensors on the device.
            setting: Anything besides the inputs' shapes that decides what `function` queues; when it changes, what
                was recorded is forgotten.
        """
        with self._lock:  # threads share the inputs of a graph
            if self._graphs is None:
                return self._function(*inputs)
            if setting != self._setting:
                self._forget()
                self._setting = setting
            key = tuple((tensor.shape, tensor.stride(), tensor.dtype) for tensor in inputs)
            recording = self._kept.get(key)
            if recording is not None:
                return _replay(recording, inputs)
            # Only shapes that come again: recording costs a few passes, and random crops may never repeat.
            if key in self._seen and len(self._kept) < self._limit:
                return self._record(key, inputs)
            self._seen.add(key)
            return self._function(*inputs)

    def _record(self, key: Hashable, inputs: Sequence[Tensor]) -> Result:
        """Call the function eagerly, do the same by a new graph, and keep the graph if it agrees."""
        before = _copies(self._state())
        # The eager call and the replay must draw the same numbers to be compared.
        with torch.random.fork_rng([inputs[0].device] if inputs[0].is_cuda else []):
            result = self._function(*inputs)
        eager = _copies(self._state())
        reason = ""
        try:
            recording = self._recorded(inputs)
            _restore(self._state(), before)
            replayed = _replay(recording, inputs)
            found, wanted = _with_result(self._state(), replayed), _with_result(eager, result)
            # Kind by kind: an update of the optimizer that is missing would drown in the size of the parameters.
            drifts = {kind: _drift(found[kind], wanted[kind], before.get(kind)) for kind in wanted}
        except Exception as error:  # whatever it is, an eager call has done the work
            reason = _reason(error)
        else:
            kind = max(drifts, key=lambda kind: drifts[kind])
            if any(map(math.isnan, drifts.values())):
                pass  # nothing can be compared with NaN: next time
            elif drifts[kind] <= TOLERANCE:
                self._kept[key] = recording
                return replayed
            else:
                reason = f"the first replay is {drifts[kind]:.0%} off in its {kind}"
        # Whatever the graph did, partly or wrongly, what counts is the eager call.
        _restore(self._state(), eager)
        if reason:
            self._stop(reason)
        return result

    def _recorded(self, inputs: Sequence[Tensor]) -> _Recording:
        assert self._graphs is not None
        static = [tensor.clone() for tensor in inputs]
        graph = self._graphs()
        return _Recording(graph, static, graph.record(lambda: self._function(*static)))

    def _stop(self, reason: str) -> None:
        self._forget()
        # For good: what failed once would fail at every further shape, and cost its time there.
        self._graphs = None
        self._stopped()
        _log.warning("capture off: %s", reason)

    def _forget(self) -> None:
        self._seen.clear()
        self._kept.clear()


def _replay(recording: _Recording, inputs: Sequence[Tensor]) -> Result:
    for static, given in zip(recording.inputs, inputs, strict=True):
        # A graph reads the addresses that it was recorded with.
        static.copy_(given)
    recording.graph.replay()
    # The next replay of any graph may overwrite it.
    return None if recording.result is None else recording.result.clone()


def _copies(state: State) -> dict[str, list[Tensor]]:
    return {kind: [tensor.detach().clone() for tensor in tensors] for kind, tensors in state.items()}


@torch.no_grad()
def _restore(state: State, copies: State) -> None:
    for kind, tensors in state.items():
        for tensor, copy in zip(tensors, copies[kind], strict=True):
            tensor.copy_(copy)


def _with_result(state: State, result: Result) -> dict[str, Sequence[Tensor]]:
    return {**state, **({} if result is None else {"result": [result]})}


@torch.no_grad()
def _drift(found: Sequence[Tensor], wanted: Sequence[Tensor], start: Sequence[Tensor] | None) -> float:
    """Return how far `found` is from `wanted`, as a part of the way there from `start` (None: from zero)."""
    off = _distance(found, wanted)
    way, size = _distance(wanted, start), _distance(wanted, None)
    # What hardly moves is off by the rounding of its own values.
    return 0.0 if off == 0 else off / max(way, 1e-5 * size, 1e-30)


def _distance(tensors: Sequence[Tensor], origin: Sequence[Tensor] | None) -> float:
    total = 0.0
    for index, tensor in enumerate(tensors):
        # Squares of large parameters overflow in float16, and counters of batches are integers.
        values = tensor.detach().double()
        total += float((values if origin is None else values - origin[index].double()).square().sum())
    return float(total**0.5)


def _reason(error: BaseException) -> str:
    while error.__context__ is not None:  # ending a broken recording fails too, and says less
        error = error.__context__
    return first_line(error)
