"""Files of tensors: read without ever running what is in them, loaded without ever dropping a key in silence."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from switchseg.errors import UserError, first_line
from switchseg.models.pickled import check_torch_file
from switchseg.norms import from_2018


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """Read a state dict from a .safetensors file or from one that `torch.save` wrote, onto the CPU.

    A dict under `state_dict` or `model` is unwrapped, and a `module.` that all keys begin with is taken off.

    Raises:
        UserError: there is no such file, it is damaged, or it holds anything else than tensors by name.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    content: Mapping[str, Any]
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _load_pickle(path)
    # Before the next clause, which would take our own line for damage.
    except UserError:
        raise
    except Exception as error:  # whatever a damaged file drives torch's readers to, assertions included
        reason = f"{type(error).__name__}: {first_line(error).split('. ')[0]}"
        raise UserError(f"{path}: no whole weight file ({reason}); copy or download it again") from error
    # One after the other, so that a `model` inside of a `state_dict` is found too.
    for wrapper in ("state_dict", "model"):
        inner: Any = content.get(wrapper)
        content = inner if isinstance(inner, Mapping) else content
    if not content or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()):
        raise UserError(f"{path}: holds something else than tensors by name; save `model.state_dict()`")
    # Of all keys only, since a network may have a part of that name; it comes from DistributedDataParallel.
    if all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    return dict(content)


def load_torch(path: Path) -> Any:
    """Return what `torch.save` wrote, on the CPU, without ever running what is in the file.

    Raises:
        pickle.UnpicklingError: it holds more than tensors and plain values.
        Exception: it is damaged; torch's readers raise many kinds.
    """
    # First of all: weights_only keeps code from running, but not a small file from asking for all of the memory.
    check_torch_file(path)
    with warnings.catch_warnings():
        # About the format of a hostile file; the error says enough.
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _load_pickle(path: Path) -> Mapping[str, Any]:
    try:
        content = load_torch(path)
    except pickle.UnpicklingError as error:
        # Bytes that are no pickle at all.
        if "Unsupported operand" in str(error):
            raise ValueError("not a file of torch.save") from error
        raise UserError(
            f"{path}: holds Python objects besides tensors, and loading it could run code; save `model.state_dict()`"
        ) from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: holds a {type(content).__name__}, not a state dict; save `model.state_dict()`")
    return content


def check_keys(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> None:
    """Compare keys and shapes of a file with those of a model.

    Raises:
        UserError: a key is missing or unexpected, or a shape differs; all of them are counted, some are named.
    """
    missing = [key for key in wanted if key not in found]
    unexpected = [key for key in found if key not in wanted]
    shapes = [
        f"{key} {_shape(found[key])} for {_shape(tensor)}"
        for key, tensor in wanted.items()
        if key in found and found[key].shape != tensor.shape
    ]
    complaints = [
        f"{len(keys)} {what}: {_some(keys)}"
        for what, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if keys
    ]
    if complaints:
        raise UserError(f"{source}: the weights are not those of this model; {'; '.join(complaints)}")


def translate(
    state: Mapping[str, Tensor], theirs_of: Mapping[str, str], wanted: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    """Turn the state dict of another code base into ours.

    Norms of 2018, with parameters (1, C, 1, 1) and statistics (1, C, 1), become flat. Where batches were not counted,
    the statistics are taken as converged.

    Args:
        state: what the file holds.
        theirs_of: {our key: their key}.
        wanted: the state dict of the model, for the shapes.
        source: the file, for messages.

    Raises:
        UserError: a key is missing or unexpected, or a shape differs.
    """
    found = dict(state)
    shapes = {theirs: wanted[ours] for ours, theirs in theirs_of.items()}
    # Before the check, which compares shapes; it also adds the batch counters that old files do not have.
    from_2018(found, shapes)
    check_keys(found, shapes, source)
    return {ours: found[theirs] for ours, theirs in theirs_of.items()}


def load_exactly(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load `state` into `module`; see `check_keys` for what is refused. The module is untouched if it is."""
    # torch would copy what fits before it raises, and its message lists every key.
    check_keys(state, module.state_dict(), source)
    module.load_state_dict(dict(state))


def _some(keys: Iterable[str], count: int = 3) -> str:
    keys = list(keys)
    return ", ".join(keys[:count]) + (f" and {len(keys) - count} more" if len(keys) > count else "")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
