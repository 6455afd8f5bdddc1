"""Lightning: `Trainer(plugins=[SwitchNormSync()])` shares batch statistics among the processes of a training."""

from __future__ import annotations

from collections.abc import Mapping

from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm
from torch import nn

from switchseg.norms import KINDS, Factory, convert_norms

_SYNCHRONISED: dict[Factory, Factory] = {
    alone: together
    for kind, synchronised in (("sn", "syncsn"), ("ssn", "syncssn"))
    for alone, together in zip(KINDS[kind].factories, KINDS[synchronised].factories, strict=True)
}
_ALONE = {together: alone for alone, together in _SYNCHRONISED.items()}


class SwitchNormSync(TorchSyncBatchNorm):
    """Takes `SyncSwitchNorm` for `SwitchNorm` while a strategy of several processes fits, the sparse ones likewise.

    BatchNorms are treated as by Lightning's own plugin, whose place this takes: `sync_batchnorm=True` may stay.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Synchronise the norms of `model`, in place; their parameters stay the same objects."""
        # Lightning has one such plugin at a time, so what its own does for BatchNorms must happen in here.
        return _exchanged(super().apply(model), _SYNCHRONISED)

    def revert(self, model: nn.Module) -> nn.Module:
        """Undo `apply`."""
        return _exchanged(super().revert(model), _ALONE)


def _exchanged(model: nn.Module, layers: Mapping[Factory, Factory]) -> nn.Module:
    # The exact type: a subclass may compute otherwise, and another class in its place would lose that.
    if type(model) in layers:
        return convert_norms(model, layers[type(model)])
    for name, child in model.named_children():
        setattr(model, name, _exchanged(child, layers))
    return model
