"""MONAI: once this is imported, `norm="sn"` in any network, in 1, 2 and 3 dimensions; `("sn", {"eps": 1e-3})` too.

The names are those of `switchseg.norms.KINDS` that mix: sn, sn_in_ln, syncsn, ssn, syncssn.
"""

from __future__ import annotations

from monai.networks.layers.factories import Norm

from switchseg.norms import KINDS, find_norm


# A function, for in the loop below every lambda would see the last name.
def _register(name: str) -> None:
    Norm.add_factory_callable(name, lambda dims: find_norm(name, dims), f"Factory of the norm {name} of switchseg.")


for _kind in KINDS.values():
    if _kind.mixes:
        _register(_kind.name)
