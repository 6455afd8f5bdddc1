"""The trainer that nnU-Net finds by its name, in a folder that holds nothing else: it imports all that lies there."""

from __future__ import annotations

from typing import Any

import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from switchseg.integrations.nnunet import normalize_with_sn
from switchseg.norms import parameter_groups


class nnUNetTrainerSN(nnUNetTrainer):  # noqa: N801 - nnU-Net's trainers are named so
    """nnU-Net's own training with Switchable Normalization, and mixing weights that are not decayed."""

    @staticmethod
    def build_network_architecture(
        plans_manager: Any,
        configuration_manager: Any,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """Build what the plans say, with SN for the norm that they say; prediction builds by this too."""
        # Here, not in `__init__`: prediction never makes a trainer and calls this method of the class.
        normalize_with_sn(configuration_manager.network_arch_init_kwargs)
        network: nn.Module = nnUNetTrainer.build_network_architecture(
            plans_manager, configuration_manager, num_input_channels, num_output_channels, enable_deep_supervision
        )
        return network

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """Return nnU-Net's SGD and schedule, over groups of parameters."""
        # nnU-Net gives SGD all parameters as one group, by which mixing weights would be decayed.
        groups = parameter_groups(self.network, self.initial_lr, self.weight_decay)
        optimizer = torch.optim.SGD(groups, self.initial_lr, momentum=0.99, nesterov=True)
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)
