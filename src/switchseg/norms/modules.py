"""SwitchNorm1d, 2d and 3d: the parameters, the running statistics and the files of the layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from switchseg.norms import torch_private
from switchseg.norms.functional import check_activation, layer
from switchseg.norms.layout import from_2018
from switchseg.norms.operator.backends import check_backend
from switchseg.norms.operator.call import STATISTICS, Inputs, Options
from switchseg.norms.operator.mixing import shares_of
from switchseg.norms.statistics import check_statistics


class SwitchNorm(nn.Module):
    """What SwitchNorm1d, 2d and 3d share; build one of those.

    As in torch's BatchNorm, a batch that activation checkpointing runs twice moves the running statistics twice.

    Args:
        num_features: channels C of the input (N, C, ...).
        eps: added to the mixed variance, inside the root.
        momentum: weight of a new batch in the running statistics, as in `nn.BatchNorm2d` (2018's 0.997 is 0.003 here).
            The first 1 / momentum batches are averaged evenly. None averages all batches evenly.
        affine: whether there is a learned scale `weight` (C,) and offset `bias` (C,).
        statistics: which of "in", "ln", "bn" are mixed, in that order; without "bn" there are no running statistics.
        device: where the parameters live.
        dtype: type of parameters and running statistics.
        activation: None, or "relu" to rectify the output (after the residual, if there is one).
        backend: "auto", "reference", "native", "aten" or "cuda"; `resolve_backend` says what "auto" comes to.

    Raises:
        ValueError: `statistics` is empty, unknown or out of order, or `activation` or `backend` is unknown.
    """

    _abbr_ = "bn"  # by which mmcv names a norm in its networks: checkpoints with BatchNorm call theirs so
    input_dims: tuple[int, ...]
    weight: Tensor | None
    bias: Tensor | None
    mean_weight: Tensor
    var_weight: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.003,
        affine: bool = True,
        statistics: Sequence[str] = STATISTICS,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        activation: str | None = None,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.statistics = check_statistics(statistics)
        check_activation(activation)
        check_backend(backend)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.activation = activation
        self.backend = backend

        def empty(size: int) -> Tensor:
            return torch.empty(size, device=device, dtype=dtype)

        tracked = "bn" in statistics
        self.register_parameter("weight", nn.Parameter(empty(num_features)) if affine else None)
        self.register_parameter("bias", nn.Parameter(empty(num_features)) if affine else None)
        self.mean_weight = nn.Parameter(empty(len(statistics)))
        self.var_weight = nn.Parameter(empty(len(statistics)))
        # None where there are none, as in torch's BatchNorm: a name that can be asked for, and that no file holds.
        self.register_buffer("running_mean", empty(num_features) if tracked else None)
        self.register_buffer("running_var", empty(num_features) if tracked else None)
        count = torch.empty((), dtype=torch.long, device=device) if tracked else None
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start over: no scale or offset, equal shares, no batches seen."""
        if self.weight is not None and self.bias is not None:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)
        nn.init.ones_(self.mean_weight)
        nn.init.ones_(self.var_weight)
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Forget the batches seen."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def mixture(self) -> tuple[tuple[str, ...], Tensor]:
        """Return K statistics and how much of each goes into mean and variance, (K, 2) with columns that sum to 1."""
        return self.statistics, shares_of(self.mean_weight, self.var_weight)

    def lead_for(self, share: float) -> float:
        """Return by how much one logit leads all others, which are equal, where it has a share between 0 and 1."""
        return math.log(share * (len(self.statistics) - 1) / (1 - share))

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Normalize `x` (N, C, ...), add `residual`, which is like `x` or None, and apply the activation.

        Returns:
            A tensor with the shape, type and memory format of `x`.

        Raises:
            ValueError: `x` has the wrong number of dimensions or channels, no elements, or is not floating point; or
                the layer's backend cannot take it.
        """
        self._check(x)
        mean_mix, var_mix, statistics = self._mixture()
        # Read from the dictionaries: as attributes these tensors cost as much as a small map.
        learned, buffers = torch_private.learned(self), torch_private.tracked(self)
        running_mean, running_var = buffers["running_mean"], buffers["running_var"]
        tracked = running_mean is not None and running_var is not None
        # As in torch's BatchNorm, evaluation without running statistics uses those of the batch.
        training, of_batch = self.training or not tracked, "bn" in statistics
        # By `_make`, which takes a third of the time of a call.
        inputs = Inputs._make(
            (
                x,
                residual,
                mean_mix,
                var_mix,
                learned["weight"] if "weight" in learned else self.weight,  # noqa: SIM401 - else it is parametrized
                learned["bias"] if "bias" in learned else self.bias,  # noqa: SIM401 - `get` would look it up always
                running_mean,
                running_var,
                # A frozen sparse layer may no longer mix "bn": then there are no batch moments to follow. And where
                # the running statistics were set to None there is nothing that could.
                buffers["num_batches_tracked"] if training and tracked and of_batch else None,
            )
        )
        relu = self.activation == "relu"
        # Others share batch moments alone: with a group, every layer would wait for them.
        group, softmax = self._group() if of_batch else "", var_mix is not None
        options = Options._make((statistics, self.eps, self.momentum, relu, training, softmax, group))
        return layer(inputs, options, self.backend)

    def _mixture(self) -> tuple[Tensor, Tensor | None, tuple[str, ...]]:
        """Return the mixes of `Inputs`, and the statistics that they mix."""
        learned = torch_private.learned(self)
        if "mean_weight" in learned and "var_weight" in learned:
            return learned["mean_weight"], learned["var_weight"], self.statistics  # type: ignore[return-value]
        return self.mean_weight, self.var_weight, self.statistics

    def _group(self) -> str:
        """Name the processes that share batch moments."""
        return ""

    def _check(self, x: Tensor) -> None:
        # One condition for what is right; what is wrong is found out for the message alone.
        shape = x.shape
        if len(shape) in self.input_dims and shape[1] == self.num_features and x.numel() and x.is_floating_point():
            return
        name = type(self).__name__
        if x.dim() not in self.input_dims:
            wanted = " or ".join(map(str, self.input_dims))
            raise ValueError(f"{name} takes inputs with {wanted} dimensions, got shape {tuple(x.shape)}")
        if x.shape[1] != self.num_features:
            raise ValueError(f"{name} takes {self.num_features} channels, got shape {tuple(x.shape)}")
        if x.numel() == 0:
            raise ValueError(f"{name} needs at least one element per channel, got shape {tuple(x.shape)}")
        raise ValueError(f"{name} takes floating point inputs, got {x.dtype}")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # Before torch compares shapes, which are others in the files of 2018.
        own = {**dict(self.named_parameters(recurse=False)), **dict(self.named_buffers(recurse=False))}
        from_2018(state_dict, {prefix + name: tensor for name, tensor in own.items()})
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        """Return the arguments, for `print(model)`."""
        text = f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}"
        text += f", statistics={'+'.join(self.statistics)}"
        if self.activation is not None:
            text += f", activation={self.activation}"
        return text if self.backend == "auto" else f"{text}, backend={self.backend}"


class SwitchNorm1d(SwitchNorm):
    """Switchable Normalization of (N, C) and (N, C, L); see `SwitchNorm` for the arguments."""

    input_dims = (2, 3)


class SwitchNorm2d(SwitchNorm):
    """Switchable Normalization of (N, C, H, W); see `SwitchNorm` for the arguments."""

    input_dims = (4,)


class SwitchNorm3d(SwitchNorm):
    """Switchable Normalization of (N, C, D, H, W); see `SwitchNorm` for the arguments."""

    input_dims = (5,)
