"""Model directories: config.json says what the model is, model.safetensors holds its weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from safetensors.torch import save

from switchseg import files
from switchseg.errors import UserError, first_line
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter
from switchseg.models.spec import ModelSpec
from switchseg.models.weights import check_keys, read_weights
from switchseg.norms import NORMS
from switchseg.plugins import hint, import_installed, imported

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_model(model: Segmenter, path: str | Path, dtype: torch.dtype | None = None) -> None:
    """Write `model` to the directory `path`; each file is replaced whole.

    Floating point weights are stored as `dtype`, or as they are; loading turns them into float32 again.

    A model with the same spec may be overwritten at any time: old and new files fit each other. Where the spec changes,
    config.json is away while the weights change, so that a crash leaves no model rather than a mixture of two.

    Raises:
        UserError: the directory cannot be written, or the model's norm has no name by which it could be loaded.
    """
    path = Path(path)
    if model.spec.norm not in NORMS:
        raise UserError(
            f"{path}: the norm {model.spec.norm} has no name to be loaded by (loading runs no code that a file names); "
            "give it one with switchseg.norms.register_norm and build the model with that"
        )
    state = {
        # Counters such as `num_batches_tracked` stay whole numbers; safetensors stores contiguous tensors only.
        key: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous()
        for key, tensor in model.state_dict().items()
    }
    # Names for a message alone: loading a model never imports what its directory says.
    made_with = dataclasses.replace(model.spec, plugins=imported())
    spec = json.dumps(made_with.to_json(), indent=2, ensure_ascii=False) + "\n"
    try:
        # Compared as bytes: equal specs make equal text, and a config that cannot be read is simply another one.
        if (path / CONFIG).is_file() and (path / CONFIG).read_bytes() != spec.encode():
            (path / CONFIG).unlink()
        with files.replacing(path / WEIGHTS) as file:
            file.write(save(state, metadata={"format": "pt"}))
        files.write_text(path / CONFIG, spec)
    except OSError as error:
        raise UserError(f"{path}: the model cannot be written ({error.strerror})") from error


def load_model(path: str | Path) -> Segmenter:
    """Build the model of a model directory, or of the run directory that holds one, in evaluation mode on the CPU.

    Raises:
        UserError: there is no model, or one of its files is damaged or does not fit the other.
    """
    # For callers from Python: the program has done it already, and the second call costs nothing.
    import_installed()
    folder = find_model(path)
    spec = read_spec(folder)
    state = read_weights(folder / WEIGHTS)
    # Weights that are about to be replaced are neither drawn nor stored, however large the model says it is.
    with torch.device("meta"):
        model = build(spec, folder / CONFIG)
    own = model.state_dict()
    check_keys(state, own, str(folder / WEIGHTS))
    # Copies, because what was read lies in the mapped file: it would change with the file, and as its tensors are
    # not aligned as PyTorch's own are, matrix products would round otherwise than those of the model that was saved.
    copies = {key: tensor.to(own[key].dtype, copy=True) for key, tensor in state.items()}
    # Assigned, because a copy into a tensor on the meta device goes nowhere.
    model.load_state_dict(copies, assign=True)
    if any(buffer.is_meta for buffer in model.buffers()):  # some transformers compute what they do not save
        model = build(spec, folder / CONFIG)
        model.load_state_dict(state)
    return model.eval()


def find_model(path: str | Path) -> Path:
    """Return the model directory that `path` is, or that the run directory `path` holds.

    Raises:
        UserError: it is neither.
    """
    path = Path(path)
    # In this order: a model directory that happens to hold a folder `model` is still itself.
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file():
            return folder
    if not path.exists():
        raise UserError(f"{path}: there is no such model or run directory")
    raise UserError(f"{path}: neither a model nor a run directory; it has no {CONFIG} and no model/{CONFIG}")


def read_spec(folder: Path) -> ModelSpec:
    """Read what the model directory `folder` holds, without its weights.

    Raises:
        UserError: config.json is not what `save_model` writes.
    """
    path = folder / CONFIG
    try:
        return ModelSpec.from_json(json.loads(path.read_text(encoding="utf-8")))
    # Apart from the rest, since the text of a KeyError is the key alone.
    except KeyError as error:
        raise UserError(f"{path}: the key {error} is missing; it should be as `switchseg train` writes it") from error
    except (AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not as `switchseg train` writes it ({first_line(error)})") from error


def build(spec: ModelSpec, source: str | Path) -> Segmenter:
    """Build the model that `spec` describes, with random weights.

    Raises:
        UserError: an encoder, decoder or norm is unknown; `source` is the file that named it.
    """
    try:
        return create_model(
            spec.encoder,
            spec.decoder,
            spec.norm,
            classes=spec.classes,
            preprocessing=spec.preprocessing,
            auxiliary=spec.auxiliary,
        )
    except UserError as error:
        raise UserError(f"{source}: {error}{hint(spec.plugins)}") from error
