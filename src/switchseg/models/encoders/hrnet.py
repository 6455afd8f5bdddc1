"""HRNetV2 as MIT trained it: timm's HRNet, fused bilinearly, its four maps joined into one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from switchseg.models.blocks import Encoder, MapSizes, resize


class HighResolutionFusion(nn.Module):
    """One HRNet module: each branch runs by itself, then every output sums all branches resized to its own size.

    timm upsamples to the nearest pixel by a fixed factor; this resizes bilinearly to the size that is met, as MIT
    does, and so it also takes images whose sides are no multiple of 32. The state dict is timm's.
    """

    def __init__(self, branches: nn.ModuleList, fuse_layers: nn.ModuleList) -> None:
        super().__init__()
        self.recompute = False
        self.branches = branches
        self.fuse_layers = fuse_layers
        layers: Any
        for target, layers in enumerate(fuse_layers):
            for source in range(target + 1, len(branches)):
                # The convolution and its norm, without timm's upsampling.
                layers[source] = layers[source][:2]

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return one map per branch, of the sizes of `maps`."""
        return checkpoint(self._run, maps, use_reentrant=False) if self.recompute else self._run(maps)

    def _run(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [branch(value) for branch, value in zip(self.branches, maps, strict=True)]
        return [self._fuse(target, maps) for target in range(len(self.fuse_layers))]

    def _fuse(self, target: int, maps: list[Tensor]) -> Tensor:
        layers: Any = self.fuse_layers[target]
        total: Tensor = layers[0](maps[0])
        for source in range(1, len(maps)):
            value = layers[source](maps[source])
            # Not in place: for the largest map the first layer is an identity, so `total` begins as the map itself.
            total = total + (resize(value, maps[target]) if source > target else value)
        return torch.relu(total)


class HRNetV2(Encoder):
    """HRNet-W48 with one map of 48 + 96 + 192 + 384 = 720 channels at a quarter of the image."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        for stage in (body.stage2, body.stage3, body.stage4):
            for index, module in enumerate(stage):
                # The same two attributes under the same names, so that timm's weights keep their keys.
                stage[index] = HighResolutionFusion(module.branches, module.fuse_layers)
        self.body = body
        self.maps = MapSizes((sum(body.feature_info.channels()),), (4,))

    def checkpoint_activations(self) -> None:
        """Run each module of the last three stages again in the backward pass."""
        for module in self.modules():
            if isinstance(module, HighResolutionFusion):
                module.recompute = True

    def forward(self, images: Tensor) -> list[Tensor]:  # noqa: D102
        largest, *others = self.body(images)
        return [torch.cat([largest, *(resize(value, largest) for value in others)], 1)]
