"""Weights of classes in a loss, made from how often they occur."""

from __future__ import annotations

import math
from collections.abc import Sequence


def from_shares(pixels: Sequence[int]) -> tuple[float, ...]:
    """Return 1 / ln(1.02 + share) of each class (Paszke et al. 2016), scaled so that their mean over the pixels is 1.

    Unlike 1 / share it stays bounded: a class that hardly occurs weighs at most 36 times as much as one that is
    everywhere.

    Args:
        pixels: Labelled pixels of each class, from which the shares are taken; not all 0.
    """
    shares = [count / sum(pixels) for count in pixels]
    weights = [1 / math.log(1.02 + share) for share in shares]
    mean = sum(share * weight for share, weight in zip(shares, weights, strict=True))
    return tuple(weight / mean for weight in weights)
