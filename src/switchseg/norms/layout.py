"""The tensors of a Switchable Normalization in a state dict: their names, and how the files of 2018 hold them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

import torch
from torch import Tensor

MIXING = ("mean_weight", "var_weight")
"""The mixing weights, the logits of the shares."""

LONG_TRAINED = 1_000_000
"""How many batches the running statistics of 2018 count as: their files hold no number, and they have converged."""

_SHAPES_2018 = {"weight": (1, -1, 1, 1), "bias": (1, -1, 1, 1), "running_mean": (1, -1, 1), "running_var": (1, -1, 1)}
_COUNT = "num_batches_tracked"


def from_2018(state: MutableMapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Turn what `state` holds of `wanted`, as our layers keep it, from the shapes of 2018 into ours, in place.

    (1, C, 1, ...) becomes (C,), and running statistics without a number of batches get `LONG_TRAINED`.
    """
    for key, tensor in wanted.items():
        saved = state.get(key)
        # Any number of ones at the end: 2018 had one for running statistics and two for scale and offset.
        if saved is not None and tensor.dim() == 1 and saved.shape == (1, len(tensor), *[1] * (saved.dim() - 2)):
            state[key] = saved.reshape(tensor.shape)
        elif saved is None and key.endswith(_COUNT) and key.removesuffix(_COUNT) + "running_mean" in state:
            # On the CPU by name: on a default device of "meta" it would hold no number.
            state[key] = torch.tensor(LONG_TRAINED, device="cpu")


def to_2018(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `state` with its Switchable Normalizations in the shapes of 2018 and without numbers of batches."""
    result = dict(state)
    for norm in [key.removesuffix(MIXING[0]) for key in state if key.split(".")[-1] == MIXING[0]]:
        # 2018's layers have no such buffer, and loading would stop at an unexpected key.
        result.pop(norm + _COUNT, None)
        for leaf, shape in _SHAPES_2018.items():
            if norm + leaf in result:
                result[norm + leaf] = result[norm + leaf].reshape(shape)
    return result
