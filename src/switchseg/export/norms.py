"""Norms as a file has them: what no image changes is computed before the network is traced."""

from __future__ import annotations

from torch import Tensor, nn

from switchseg.norms import reference
from switchseg.norms.modules import SwitchNorm


def fix_mixtures(model: nn.Module) -> None:
    """Replace, in place, the SwitchNorms of a model that is done with training by modules whose shares are numbers.

    A file keeps every operator that is traced, and shares that are computed from logits are a quarter of a layer with a
    softmax, and two thirds of one with sparsestmax. Norms with hooks or a forward of their own stay.
    """
    fixed: dict[nn.Module, FixedMixture] = {}
    # Every name of a norm: those of one have to remain one.
    for name, module in list(model.named_modules(remove_duplicate=False)):
        hooked = module._forward_hooks or module._forward_pre_hooks
        if isinstance(module, SwitchNorm) and type(module).forward is SwitchNorm.forward and not hooked:
            if module not in fixed:
                fixed[module] = FixedMixture(module)
            model.set_submodule(name, fixed[module])


class FixedMixture(nn.Module):
    """A SwitchNorm in evaluation, without the statistics that have no share.

    Args:
        norm: gives its tensors away; its shares are read once.
    """

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None

    def __init__(self, norm: SwitchNorm) -> None:
        super().__init__()
        statistics, shares = norm.mixture()
        # What moments of inputs without maps are depends on all the names (see `reference.switch_norm`).
        whole = 2 in norm.input_dims
        rows = {name: row for name, row in zip(statistics, shares.tolist(), strict=True) if whole or any(row)}
        self.statistics = tuple(rows)
        self.mean_shares, self.var_shares = zip(*rows.values(), strict=True)
        self.eps, self.activation = norm.eps, norm.activation
        for name in ("weight", "bias", "running_mean", "running_var"):
            value = getattr(norm, name)
            self.register_buffer(name, None if value is None else value.detach())

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Return what the SwitchNorm returns of the same arguments."""
        running = None
        # Without running statistics it uses those of the batch, in evaluation too.
        if self.running_mean is not None and self.running_var is not None:
            running = self.running_mean, self.running_var
        y, _, _ = reference.switch_norm(
            x,
            self.mean_shares,
            self.var_shares,
            self.weight,
            self.bias,
            statistics=self.statistics,
            running=running,
            eps=self.eps,
        )
        if residual is not None:
            y = y + residual
        return y.relu() if self.activation == "relu" else y
