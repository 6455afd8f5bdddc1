"""Find the layer in which a forward pass stops being finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def first_non_finite(model: nn.Module, images: Tensor) -> str | None:
    """Return the name of the first layer of `model` whose output for `images` is not finite, or None.

    A parameter or an input that is not finite is named instead. Running statistics change, as in any forward pass.
    """
    if not torch.isfinite(images).all():
        return "the input"
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"the parameter {name}"
    found: list[str] = []

    def watch(name: str) -> Any:
        def check(module: nn.Module, inputs: Any, output: Any) -> None:
            # Only the first: all that follows it is not finite either, and each look waits for the device.
            if not found and isinstance(output, Tensor) and not torch.isfinite(output).all():
                found.append(name)

        return check

    # Leaves only: a block would be named for what one of its layers did.
    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    handles = [module.register_forward_hook(watch(name)) for name, module in leaves]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None
