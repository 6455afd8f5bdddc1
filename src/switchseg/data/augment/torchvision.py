"""The transforms of torchvision.transforms.v2, by their names and with their arguments."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from switchseg.data.augment.transform import FILL, Pair, Transform
from switchseg.errors import UserError
from switchseg.labels import IGNORED

# What torchvision raises of arguments and of inputs that it does not take.
_MISTAKES = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Torchvision(Transform):
    """Gives image and label to a transform of torchvision as `tv_tensors.Image` and `tv_tensors.Mask`."""

    name: str
    """Its name in torchvision, for messages."""
    transform: v2.Transform

    @classmethod
    def named(cls, key: str, name: str, settings: Mapping[str, Any]) -> Torchvision:
        """Build `torchvision.transforms.v2.NAME` with the arguments `settings`, of which `probability` is our own.

        Without a `fill` of the user's, what has no pixels gets the mean colour; its label is ignored in any case.

        Raises:
            UserError: it begins with `key`; there is no such transform, or it does not take the arguments.
        """
        arguments = dict(settings)
        probability = arguments.pop("probability", 1.0)
        kind = _find(key, name)
        parameters = inspect.signature(kind).parameters
        try:
            for argument in arguments:
                if argument not in parameters:
                    raise UserError(f"unknown key {argument}; {_nearest(argument, parameters)}")
            # YAML has no enumerations, and torchvision takes no words for them.
            if isinstance(arguments.get("interpolation"), str):
                arguments["interpolation"] = v2.InterpolationMode(arguments["interpolation"])
            if "fill" in parameters:
                arguments["fill"] = {tv_tensors.Image: arguments.get("fill", FILL), tv_tensors.Mask: IGNORED}
            return cls(probability=probability, name=name, transform=kind(**arguments))
        except (*_MISTAKES, UserError) as error:
            raise UserError(f"{key}: torchvision.{name}: {_line(error)}") from None

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return what the transform makes of the sample.

        Raises:
            UserError: it cannot be applied, or makes something else than bytes and a label of the same size.
        """
        image = tv_tensors.Image(torch.from_numpy(np.ascontiguousarray(pair.image)).permute(2, 0, 1))
        label = tv_tensors.Mask(torch.from_numpy(np.ascontiguousarray(pair.label)))
        seed = int(rng.integers(2**63))
        try:
            # torchvision draws from the CPU's one generator, which is left as it was; no GPU's is touched.
            with torch.random.fork_rng(devices=()):
                torch.default_generator.manual_seed(seed)
                image, label = self.transform(image, label)
        except _MISTAKES as error:
            raise UserError(f"data.augment: torchvision.{self.name}: {_line(error)}") from None
        # Some make floats, some change the size of the image alone; the batch would fail far from here.
        if not (image.dtype == label.dtype == torch.uint8 and image.shape == (3, *label.shape)):
            raise UserError(
                f"data.augment: torchvision.{self.name} makes {image.dtype} {list(image.shape)} with a label of "
                f"{label.dtype} {list(label.shape)}; bytes of one size were expected"
            )
        return Pair(image.permute(1, 2, 0).contiguous().numpy(), label.numpy())


def _find(key: str, name: str) -> type[v2.Transform]:
    known = [each for each, kind in vars(v2).items() if isinstance(kind, type) and issubclass(kind, v2.Transform)]
    if name not in known:
        raise UserError(f"{key}: torchvision.transforms.v2 has no transform {name!r}; {_nearest(name, known)}")
    kind: type[v2.Transform] = getattr(v2, name)
    return kind


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
