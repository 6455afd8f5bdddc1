"""What is launched on a GPU for inputs of one shape, type and layout; needs triton."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
import triton

from switchseg.norms.operator import kernels
from switchseg.norms.operator.call import STATISTICS, Inputs, Options
from switchseg.norms.operator.cut import WARPS, Cut
from switchseg.norms.operator.launches import LaunchSequence, Step
from switchseg.norms.operator.layout import is_contiguous
from switchseg.norms.operator.plan import Signature


@cache
def obstacle() -> str:
    """Say what keeps Triton from working with the device, "" if nothing does."""
    if not isinstance(kernels.apply, triton.JITFunction):
        return "Triton interprets kernels, in the host's memory"
    try:
        triton.runtime.driver.active.get_current_device()
    except Exception as error:  # what comes of a compiler that is not installed, for one, has no common class
        return f"Triton does not work here: {type(error).__name__}: {' '.join(str(error).split())}"
    return ""


class Recipe(NamedTuple):
    """Kernels that are launched together, and the types of the tensors that they take, by name and in order."""

    steps: tuple[Step, ...]
    types: dict[str, torch.dtype]


class Launches(NamedTuple):
    """The launches of one direction on inputs of one shape, type and layout."""

    cut: Cut
    first: LaunchSequence
    second: LaunchSequence | None
    """What can only start when other processes have been heard; None if `first` holds everything."""

    @classmethod
    def of(cls, cut: Cut, recipes: list[Recipe], device: torch.device) -> Launches:
        """Compile one recipe or two for a device."""
        first, *rest = [LaunchSequence(*recipe, device.index or 0) for recipe in recipes]
        return cls(cut, first, rest[0] if rest else None)


# The tensors of a direction's launches, in order. Calls leave out those that a plan was made without.
_FORWARD = (*Inputs._fields, "y", "kept", "partial")
_BACKWARD = ("grad", "x", "y", "weight", "bias", "kept", "partial", "grad_x", "masked") + (
    "grad_mean_mix", "grad_var_mix", "grad_weight", "grad_bias", "batch_gradient",
)  # fmt: skip
_MAPS = {"x", "y", "residual", "grad", "masked", "grad_x"}


def plan_forward(signature: Signature) -> Launches:
    """Return the launches of forward."""
    cut, options = _cut(signature), signature.options
    missing = {name for name, is_absent in signature.absent._asdict().items() if is_absent}
    missing |= set() if options.softmax else {"var_mix"}
    # The first launches take the moments; in the second, those of all processes stand in for the running ones.
    missing |= {"running_mean", "running_var"} if options.group else set()
    return Launches.of(cut, forward_recipes(cut, signature.dtype, missing, options), signature.device)


def forward_recipes(cut: Cut, dtype: torch.dtype, missing: set[str], options: Options) -> list[Recipe]:
    """Return what is launched forward: one recipe, or two if other processes are heard in between.

    Args:
        cut: of the maps.
        dtype: of the maps.
        missing: the names of those of `Inputs` that are None.
        options: of the layer.
    """
    given = not options.training or bool(options.group)
    values = {"RELU": options.relu, "GIVEN": given, "eps": options.eps, "momentum": options.momentum or 0.0}
    builder = _Builder(cut, dtype, options, _FORWARD, missing, values)
    read = [builder.tiles(kernels.moments)]
    if not cut.whole:
        read.append(builder.joins(kernels.merge))
    if options.group:  # what the others have found comes in place of the running statistics
        second = _Builder(cut, dtype, options, _FORWARD, missing - {"running_mean", "running_var"}, values)
        return [builder.recipe(read), second.recipe([second.tiles(kernels.apply)])]
    write = [builder.tiles(kernels.apply)]
    # With running statistics alone the maps' own moments are not used, and the maps are read once.
    return [builder.recipe(write if given and options.statistics == ("bn",) else read + write)]


def plan_backward(signature: Signature, keeps_output: bool, keeps_bias: bool) -> Launches:
    """Return the launches of backward.

    Args:
        signature: Of the layer.
        keeps_output: Whether it reads the output.
        keeps_bias: Whether it reads the bias.
    """
    cut, absent = _cut(signature), signature.absent
    there = {"y": keeps_output, "weight": not absent.weight}
    there |= {"bias": keeps_bias and not absent.bias, "grad_bias": not absent.bias}
    missing = {name for name, is_there in there.items() if not is_there}
    return Launches.of(cut, backward_recipes(cut, signature.dtype, missing, signature.options), signature.device)


def _cut(signature: Signature) -> Cut:
    return Cut.of_shape(signature.shape, not is_contiguous(signature.shape, signature.strides))


def backward_recipes(cut: Cut, dtype: torch.dtype, missing: set[str], options: Options) -> list[Recipe]:
    """Return what is launched backward, like `forward_recipes`.

    Args:
        cut: of the maps.
        dtype: of the maps.
        missing: which of y, weight, bias and grad_bias there are not.
        options: of the layer.
    """
    no_output = "y" in missing
    follows = {"y": "masked", "weight": "grad_weight"}
    missing = missing | {follows[name] for name in missing & follows.keys()}
    missing |= set() if options.softmax else {"grad_var_mix"}
    values = {"RELU": options.relu and no_output, "GIVEN": not options.training}
    # The first launches come before other processes have sent their part of this gradient.
    alone = _Builder(cut, dtype, options, _BACKWARD, missing | {"batch_gradient"}, values)
    add = [alone.tiles(kernels.sums)]
    if not cut.whole:
        add.append(alone.joins(kernels.merge_sums))
    builder = _Builder(cut, dtype, options, _BACKWARD, missing, values) if options.group else alone
    carry = [builder.tiles(kernels.gradient) if no_output else builder.tiles(kernels.gradient, grad="masked")]
    if options.group:
        return [alone.recipe(add), builder.recipe(carry)]
    return [alone.recipe(add + carry)]


class _Builder:
    """Puts together the kernels of one direction.

    Args:
        cut: how the maps are cut.
        dtype: their type.
        options: of the layer.
        names: of the tensors, in order.
        missing: which of them there are not.
        values: what the kernels take besides tensors, by name.
    """

    def __init__(
        self,
        cut: Cut,
        dtype: torch.dtype,
        options: Options,
        names: tuple[str, ...],
        missing: set[str],
        values: dict[str, Any],
    ) -> None:
        mixture = {name.upper(): options.row_of(name) for name in STATISTICS} | {"SOFTMAX": options.softmax}
        self._cut, self._missing = cut, missing
        self._values = cut.numbers | cut.blocks | mixture | values
        self._types = {name: dtype if name in _MAPS else torch.float32 for name in names if name not in missing}
        if "batches" in self._types:
            self._types["batches"] = torch.int64

    def recipe(self, steps: list[Step]) -> Recipe:
        """Return steps with the types of all tensors."""
        return Recipe(tuple(steps), self._types)

    def tiles(self, kernel: Any, **renamed: str) -> Step:
        """Return the launch of a kernel that reads maps; arguments may be other tensors than their names say."""
        return self._step(kernel, self._cut.tiles, renamed)

    def joins(self, kernel: Any) -> Step:
        """Return the launch of a kernel that joins spans."""
        return self._step(kernel, self._cut.joins, {})

    def _step(self, kernel: Any, grid: tuple[int, ...], renamed: dict[str, str]) -> Step:
        arguments: dict[str, str | int | float | None] = {}
        constants = {}
        for name in kernel.arg_names:
            if name.isupper():
                constants[name] = self._values[name]
            elif name in self._values:
                arguments[name] = self._values[name]
            else:
                arguments[name] = renamed.get(name, None if name in self._missing else name)
        return Step(kernel, grid, arguments, constants, WARPS)
