"""SparseSwitchNorm: training drives every layer towards a single statistic, and then drops the work for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from switchseg.norms.modules import SwitchNorm, SwitchNorm1d, SwitchNorm2d, SwitchNorm3d
from switchseg.norms.reference import statistics_dtype
from switchseg.norms.synced import SyncMixin

if TYPE_CHECKING:
    from typing import Self

# Closer to the centre than this there is no direction to go in, and closer to one-hot than this shares are one-hot.
_TIE = 1e-6


def sparsemax(logits: Tensor) -> Tensor:
    """Return the points of the simplex closest to the columns of `logits` (K, M)."""
    ordered = logits.sort(dim=0, descending=True).values
    ranks = torch.arange(1, len(logits) + 1, device=logits.device, dtype=logits.dtype)[:, None]
    excess = ordered.cumsum(0) - 1
    # The largest logits are kept, as many as are still above the threshold that they have in common.
    support = (ranks * ordered > excess).sum(0, keepdim=True)
    threshold = excess.gather(0, support - 1) / support
    return (logits - threshold).clamp(min=0)


def sparsestmax(logits: Tensor, radius: Tensor) -> Tensor:
    """Return points of the simplex, columns (K, M), that stay at least `radius` away from the centre of their face.

    From radius 0 (sparsemax) to 1 (one-hot) the points move outwards, onto ever smaller faces. A column at the very
    centre of its face has no direction: it stays there until its logits differ.
    """
    point = sparsemax(logits)
    centre = None
    active = torch.ones_like(point[:1], dtype=torch.bool)
    squared = (radius * radius).expand_as(point[:1])
    for _ in range(len(logits) - 1):  # every round may leave one face for a smaller one
        support = (point > 0).to(point.dtype)
        previous, centre = centre, support / support.sum(0, keepdim=True)
        # The way between the centres is perpendicular to the smaller face, so by Pythagoras this is left within it.
        if previous is not None:
            squared = squared - (centre - previous).square().sum(0, keepdim=True)
        reach = squared.clamp(min=0).sqrt()
        offset = point - centre
        # Clamped before the root, whose slope at 0 is infinite.
        distance = offset.square().sum(0, keepdim=True).clamp(min=_TIE**2).sqrt()
        active = active & (distance < reach) & (distance > _TIE)
        moved = centre + offset * (reach / distance)
        point = torch.where(active, sparsemax(moved), point)  # inside the face sparsemax changes nothing
        active = active & (moved.amin(0, keepdim=True) < 0)
    return point


class SparseMixin(SwitchNorm):
    """Mixes with sparsestmax instead of softmax.

    Buffers besides those of `SwitchNorm`: `radius`, how far the shares are kept from an even mixture, and 2018's
    `mean_fixed` and `var_fixed`, 1 once `freeze` found a single statistic.
    """

    radius: Tensor
    mean_fixed: Tensor
    var_fixed: Tensor

    def __init__(self, num_features: int, *arguments: Any, **options: Any) -> None:
        super().__init__(num_features, *arguments, **options)
        device = self.mean_weight.device
        self.register_buffer("radius", torch.zeros((), device=device))
        self.register_buffer("mean_fixed", torch.zeros((), dtype=torch.long, device=device))
        self.register_buffer("var_fixed", torch.zeros((), dtype=torch.long, device=device))
        self._fixed = (False, False)
        """Of mean and variance: the values of the two buffers, which would have to come from the device."""
        self._kept: tuple[str, ...] | None = None
        """What a frozen layer computes."""

    def lead_for(self, share: float) -> float:
        """Return what `SwitchNorm.lead_for` says, at radius 0, where the shares are the sparsemax of the logits."""
        return share - (1 - share) / (len(self.statistics) - 1)

    def mixture(self) -> tuple[tuple[str, ...], Tensor]:
        """Return K statistics and how much of each goes into mean and variance; a frozen layer returns what it uses.

        A moment that is fixed stays with its statistic whatever becomes of its logits, which get gradients of zero.
        """
        logits = torch.stack([self.mean_weight, self.var_weight], 1)
        logits = logits.to(statistics_dtype(logits.dtype))
        if not any(self._fixed):
            return self.statistics, sparsestmax(logits, self.radius.to(logits.dtype))
        hot = torch.zeros_like(logits).scatter(0, logits.detach().argmax(0, keepdim=True), 1.0)
        # Zero times the logits keeps the parameters in the graph, where DistributedDataParallel waits for them.
        hot = hot + 0.0 * logits
        if self._kept is None:
            # Not by sparsestmax alone: one-hot logits lie at the edge of their face, and an optimizer's momentum or
            # weight decay would push them over it.
            free = sparsestmax(logits, self.radius.to(logits.dtype))
            columns = zip(self._fixed, hot.unbind(1), free.unbind(1), strict=True)
            return self.statistics, torch.stack([one if fixed else mixed for fixed, one, mixed in columns], 1)
        rows = dict(zip(self.statistics, hot.unbind(), strict=True))
        return self._kept, torch.stack([rows[name] for name in self._kept])

    def _mixture(self) -> tuple[Tensor, None, tuple[str, ...]]:
        statistics, shares = self.mixture()
        return shares, None, statistics

    @torch.no_grad()
    def freeze(self) -> bool:
        """Fix mean and variance where they use a single statistic; return whether both are fixed.

        A layer with both fixed computes only what it still needs. Waits for the device.
        """
        if self._kept is None:
            _, shares = self.mixture()
            for column, weight, fixed in zip(
                shares.t(), (self.mean_weight, self.var_weight), (self.mean_fixed, self.var_fixed), strict=True
            ):
                if column.max() > 1 - _TIE:
                    weight.copy_(column)
                    fixed.fill_(1)
            self._find_fixed()
        return self._kept is not None

    @torch.no_grad()
    def unfreeze(self, radius: float = 0.0) -> None:
        """Mix all statistics again, evenly at first, from `radius` on: the start of a fine-tuning."""
        for weight, is_fixed in zip((self.mean_weight, self.var_weight), self._fixed, strict=True):
            if is_fixed:
                weight.fill_(1)
        self.mean_fixed.zero_()
        self.var_fixed.zero_()
        self.radius.fill_(radius)
        self._fixed, self._kept = (False, False), None

    @torch.no_grad()
    def freeze_like(self, other: SparseMixin) -> None:
        """Take over the radius of a layer of the same statistics, and what it has fixed; waits for no device."""
        pairs = ((self.mean_weight, other.mean_weight), (self.var_weight, other.var_weight))
        for (own, theirs), is_fixed in zip(pairs, other._fixed, strict=True):
            if is_fixed:
                own.copy_(theirs)
        for name in ("radius", "mean_fixed", "var_fixed"):
            self.get_buffer(name).copy_(other.get_buffer(name))
        self._fixed, self._kept = other._fixed, other._kept

    def reset_parameters(self) -> None:
        """Start over: no scale or offset, equal shares, radius 0, no batches seen."""
        super().reset_parameters()
        if "radius" in self._buffers:  # not yet while SwitchNorm is being constructed
            self.unfreeze()

    def train(self, mode: bool = True) -> Self:
        """Set the mode; for evaluation, read from the buffers what is fixed, which waits for the device.

        An average of weights writes buffers past this layer, and its copy of it is put into evaluation mode to be used.
        """
        super().train(mode)
        if not mode:
            self._find_fixed()
        return self

    @property
    def fixed(self) -> tuple[bool, bool]:
        """Whether the mean and the variance use a single statistic for good; known without asking the device."""
        return self._fixed

    def _find_fixed(self) -> None:
        if self.mean_fixed.is_meta:
            return  # nothing has been loaded, for there was no room
        self._fixed = bool(self.mean_fixed), bool(self.var_fixed)
        if not all(self._fixed):
            self._kept = None
            return
        used = {int(self.mean_weight.argmax()), int(self.var_weight.argmax())}
        self._kept = tuple(name for index, name in enumerate(self.statistics) if index in used)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # A file of the dense layer has no radius: it starts as a mixture.
        if (loaded := state_dict.get(prefix + "mean_weight")) is not None:
            for name in ("radius", "mean_fixed", "var_fixed"):
                # On the device of the file: with `assign` it becomes the buffer, and this layer may be on "meta".
                zero = torch.zeros_like(self.get_buffer(name), device=loaded.device)
                state_dict.setdefault(prefix + name, zero)
        super()._load_from_state_dict(state_dict, prefix, *rest)
        # No tensor says which statistics are computed: it follows from what has just been loaded.
        self._find_fixed()


class SparseSwitchNorm1d(SparseMixin, SwitchNorm1d):
    """`SwitchNorm1d` that training makes sparse; see `SparseMixin`."""


class SparseSwitchNorm2d(SparseMixin, SwitchNorm2d):
    """`SwitchNorm2d` that training makes sparse; see `SparseMixin`."""


class SparseSwitchNorm3d(SparseMixin, SwitchNorm3d):
    """`SwitchNorm3d` that training makes sparse; see `SparseMixin`."""


class SyncSparseSwitchNorm1d(SparseMixin, SyncMixin, SwitchNorm1d):
    """`SparseSwitchNorm1d` with the batch moments of all processes; see `SyncMixin`."""


class SyncSparseSwitchNorm2d(SparseMixin, SyncMixin, SwitchNorm2d):
    """`SparseSwitchNorm2d` with the batch moments of all processes; see `SyncMixin`."""


class SyncSparseSwitchNorm3d(SparseMixin, SyncMixin, SwitchNorm3d):
    """`SparseSwitchNorm3d` with the batch moments of all processes; see `SyncMixin`."""


def sparse_layers(model: nn.Module) -> list[SparseMixin]:
    """Return the sparse layers of `model`, in their order."""
    return [module for module in model.modules() if isinstance(module, SparseMixin)]


def set_sparse_radius(model: nn.Module, radius: float, freeze: bool = True) -> int:
    """Set the radius of every sparse layer of `model`; with `freeze`, fix layers that have become one-hot.

    Training raises the radius from 0 to 1, for example to step / steps before each step. Freezing waits for the device.

    Returns:
        How many layers are frozen.

    Raises:
        ValueError: `radius` is not between 0 and 1.
    """
    if not 0 <= radius <= 1:
        raise ValueError(f"the radius goes from 0 (a mixture) to 1 (one statistic per layer), got {radius}")
    frozen = 0
    for layer in sparse_layers(model):
        layer.radius.fill_(radius)
        frozen += layer.freeze() if freeze else all(layer.fixed)
    return frozen


def unfreeze_sparse(model: nn.Module, radius: float = 0.0) -> None:
    """Let every sparse layer of `model` mix again, from `radius` on; see `SparseMixin.unfreeze`."""
    for layer in sparse_layers(model):
        layer.unfreeze(radius)
