"""Let SwitchNorm layers do the ReLU, and the addition of the shortcut, that come after them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import Tensor, nn

from switchseg.norms.modules import SwitchNorm

# timm's residual blocks -> how many convolutions they have
_BLOCKS = {"BasicBlock": 2, "Bottleneck": 3}


def fuse_activations(model: nn.Module) -> int:
    """Rewrite, in place, SwitchNorm + ReLU in Sequentials and timm ResNets, and the residual additions of the latter.

    The parameters keep their names and the results stay the same; the layers read and write fewer times. Hooks on the
    ReLUs and blocks that are exchanged are not taken over. A norm that stands in several places stays.

    Returns:
        How many ReLUs went into a norm.
    """
    fused, places = 0, Counter(module for _, module in model.named_modules(remove_duplicate=False))
    # A list, since the loop exchanges blocks of what it goes through.
    for path, module in list(model.named_modules()):
        # Those with a way of their own may call their parts in any order.
        if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
            fused += _fuse_sequential(module, places)
        # By name: the norms import torch and nothing else.
        elif type(module).__module__ == "timm.models.resnet":
            depth = _BLOCKS.get(type(module).__name__)
            if depth is None:
                fused += _fuse_pair(module, "bn1", "act1", places) if type(module).__name__ == "ResNet" else 0
            # Without a path it is the model itself, which has no parent that could hold another.
            elif path and _is_plain(module, depth, places):
                parent, _, name = path.rpartition(".")
                setattr(model.get_submodule(parent), name, FusedBlock(module, depth))
                fused += depth
    return fused


class FusedBlock(nn.Module):
    """A BasicBlock or Bottleneck of timm whose norms rectify, the last one after adding the shortcut.

    Args:
        block: gives its children away, under their names.
        depth: how many convolutions it has.
    """

    def __init__(self, block: Any, depth: int) -> None:
        super().__init__()
        self.depth = depth
        for name, child in block.named_children():
            if not isinstance(child, nn.ReLU):
                self.add_module(name, child)
        # Where it is None it is no child, and forward asks for it.
        self.downsample = block.downsample
        for norm in (self._get("bn", index) for index in range(1, depth + 1)):
            norm.activation = "relu"
        self.train(block.training)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block of `x` (N, C, H, W)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        for index in range(1, self.depth):
            x = self._get("bn", index)(self._get("conv", index)(x))
        x = self._get("conv", self.depth)(self.get_submodule("aa")(x))
        return self._get("bn", self.depth)(x, shortcut)  # type: ignore[no-any-return]

    def _get(self, kind: str, index: int) -> Any:
        return self.get_submodule(f"{kind}{index}")


def _is_plain(block: Any, depth: int, places: Counter[nn.Module]) -> bool:
    """Tell whether a block is made of nothing but convolutions, SwitchNorms, ReLUs and anti-aliasing."""
    numbers = range(1, depth + 1)
    return (
        all(_is_free(block.get_submodule(f"bn{index}"), places) for index in numbers)
        and all(type(block.get_submodule(f"act{index}")) is nn.ReLU for index in numbers)
        and isinstance(block.drop_block, nn.Identity)
        and block.se is None
        and block.drop_path is None
    )


def _is_free(module: nn.Module, places: Counter[nn.Module]) -> bool:
    # What a norm of two places does in one of them it would do in the other.
    return isinstance(module, SwitchNorm) and module.activation is None and places[module] == 1


def _fuse_sequential(sequence: nn.Sequential, places: Counter[nn.Module]) -> int:
    # Not `named_children`, which leaves out a module that stands in two places: its neighbours would seem to meet.
    names = [name for name, module in sequence._modules.items() if module is not None]
    return sum(_fuse_pair(sequence, *pair, places) for pair in zip(names, names[1:], strict=False))


def _fuse_pair(parent: nn.Module, norm_name: str, activation_name: str, places: Counter[nn.Module]) -> int:
    norm = parent.get_submodule(norm_name)
    if not (_is_free(norm, places) and type(parent.get_submodule(activation_name)) is nn.ReLU):
        return 0
    norm.activation = "relu"  # type: ignore[assignment]
    # In its place, so that what comes after it in a Sequential keeps its number, and parameters their names.
    setattr(parent, activation_name, nn.Identity())
    return 1
