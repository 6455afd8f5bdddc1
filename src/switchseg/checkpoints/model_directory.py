"""Model directories: config.json says what the model is, model.safetensors holds its weights."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save

from switchseg import files
from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter
from switchseg.models.spec import ModelSpec
from switchseg.models.weights import load_exactly, read_weights

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def save_model(model: Segmenter, path: str | Path) -> None:
    """Write `model` to the directory `path`.

    Each file is replaced whole. config.json is written last and names the weights by their digest, so that a crash
    between the two is noticed when the model is loaded.
    """
    path = Path(path)
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}
    with files.replacing(path / WEIGHTS) as file:
        file.write(save(state, metadata={"format": "pt"}))
    files.write_json(path / CONFIG, model.spec.to_json())


def load_model(path: str | Path) -> Segmenter:
    """Build the model of a model directory, or of the run directory that holds one, in evaluation mode on the CPU.

    Raises:
        UserError: there is no model, or one of its files is damaged or does not fit the other.
    """
    folder = find_model(path)
    spec = read_spec(folder)
    model = build(spec)
    load_exactly(model, read_weights(folder / WEIGHTS), str(folder / WEIGHTS))
    return model.eval()


def find_model(path: str | Path) -> Path:
    """Return the model directory that `path` is, or that the run directory `path` holds.

    Raises:
        UserError: it is neither.
    """
    path = Path(path)
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file():
            return folder
    if not path.exists():
        raise UserError(f"{path}: there is no such model directory")
    raise UserError(f"{path}: not a model or run directory; {CONFIG} is missing here and in model/")


def read_spec(folder: Path) -> ModelSpec:
    """Read what the model directory `folder` holds, without its weights.

    Raises:
        UserError: config.json is not what `save_model` writes.
    """
    path = folder / CONFIG
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return ModelSpec.from_json(entry)
    except KeyError as error:
        raise UserError(
            f"{path}: the key {error} is missing; write it with `switchseg train` or `import-weights`"
        ) from error
    except (AttributeError, IndexError, RecursionError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a model's description ({reason})") from error


def build(spec: ModelSpec) -> Segmenter:
    """Build the model that `spec` describes, with random weights."""
    return create_model(
        spec.encoder,
        spec.decoder,
        spec.norm,
        classes=spec.classes,
        preprocessing=spec.preprocessing,
        auxiliary=spec.auxiliary,
    )
