"""Running statistics in torch's own calls, for what does not move them itself."""

from __future__ import annotations

import torch
from torch import Tensor

from switchseg.norms.operator.call import Inputs, Options


@torch.no_grad()
def move(inputs: Inputs, options: Options, batch: Tensor) -> None:
    """Move the running statistics towards batch moments (2, C), where there is a count of the batches.

    Nothing waits for the device. The first 1 / momentum batches are averaged evenly.
    """
    if inputs.batches is None or inputs.running_mean is None or inputs.running_var is None:
        return
    dtype = inputs.running_mean.dtype
    # A tensor, which `lerp_` takes as a weight: a number would have to come from the device.
    share = inputs.batches.add_(1).to(dtype).reciprocal_()
    if options.momentum is not None:
        share.clamp_(min=options.momentum)
    mean, var = batch.to(dtype).unbind()
    inputs.running_mean.lerp_(mean, share)
    inputs.running_var.lerp_(var, share)
