"""Model directories as repositories of the Hugging Face hub: README.md beside config.json and model.safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from switchseg import files
from switchseg.checkpoints.model_directory import CONFIG, WEIGHTS, load_model, save_model
from switchseg.errors import UserError, first_line
from switchseg.models.segmenter import Segmenter
from switchseg.models.spec import ModelSpec

CARD = "README.md"

# A connection that fails is an error of the library below the hub's client, which has changed from release to release;
# the client's own error derives from the same base.
_BELOW = [kind for kind in HfHubHTTPError.__mro__ if issubclass(kind, Exception) and kind.__name__ == "HTTPError"]
_REFUSED: tuple[type[Exception], ...] = (HFValidationError, OSError, *_BELOW)


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model card says beyond the architecture."""

    dataset: str
    """What the model was trained on."""
    data_license: str
    """The licence of that data, as its owners name it; it may restrict what the weights can be used for."""
    license: str = "other"
    """The licence of the weights, as an identifier of the hub (apache-2.0, cc-by-nc-4.0, ...)."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Name of a score -> its value as a fraction, such as `mean_iou` of `evaluate --json`."""
    protocol: str = ""
    """How the scores were measured: split, short sides."""
    training: str = ""
    """How the model was trained."""
    name: str = "OWNER/NAME"
    """What `from_pretrained` finds the model by."""


def save_pretrained(model: Segmenter, folder: str | Path, card: Card, dtype: torch.dtype | None = None) -> None:
    """Write a model directory with a model card; `dtype` as in `save_model`.

    Raises:
        UserError: the directory cannot be written.
    """
    save_model(model, folder, dtype)
    files.write_text(Path(folder) / CARD, render_card(model.spec, card, sum(p.numel() for p in model.parameters())))


def from_pretrained(name: str, revision: str | None = None) -> Segmenter:
    """Load a model, in evaluation mode, from a model directory or from the hub repository `OWNER/NAME`.

    Raises:
        UserError: there is no such directory or repository, the hub cannot be reached, or a file is damaged.
    """
    if Path(name).is_dir():
        return load_model(name)
    try:
        # Two files by their names: a repository may hold gigabytes of other formats.
        return load_model(snapshot_download(name, revision=revision, allow_patterns=[CONFIG, WEIGHTS]))
    except _REFUSED as error:
        raise UserError(f"{name}: no such folder, and not to be had from the hub ({first_line(error)})") from error


def push_to_hub(model: Segmenter, name: str, card: Card, folder: str | Path, *, private: bool = False) -> str:
    """Write `model` to `folder`, upload that to the hub repository `OWNER/NAME` and return its address.

    The user must be logged in (`hf auth login`).

    Raises:
        UserError: the hub refuses or cannot be reached.
    """
    save_pretrained(model, folder, card)
    api = HfApi()
    try:
        address = api.create_repo(name, private=private, exist_ok=True)
        # The folder may be one that the user keeps other things in; only what makes up the model is published.
        api.upload_folder(repo_id=name, folder_path=folder, allow_patterns=[CONFIG, WEIGHTS, CARD])
    except _REFUSED as error:
        raise UserError(
            f"{name}: cannot be pushed to the hub ({first_line(error)}); is `hf auth login` done?"
        ) from error
    return str(address)


def render_card(spec: ModelSpec, card: Card, parameters: int) -> str:
    """Return the text of README.md, with the metadata block that the hub reads."""
    scores = "\n".join(f"| {name} | {100 * value:.2f} % |" for name, value in card.scores.items())
    results = f"\n## Scores\n\n{card.protocol}\n\n| score | value |\n|---|---|\n{scores}\n" if card.scores else ""
    training = f"{card.training}\n\n" if card.training else ""
    return f"""---
library_name: switchseg
pipeline_tag: image-segmentation
license: {card.license}
tags:
- semantic-segmentation
- switchseg
---

# {spec.encoder} + {spec.decoder}, {spec.norm}

Semantic segmentation into {spec.num_classes} classes. {parameters / 1e6:.1f} million parameters.

```python
from switchseg.checkpoints.hub import from_pretrained

model = from_pretrained("{card.name}")
```

`model.spec.preprocessing.normalize(images)` turns uint8 RGB images [N, 3, H, W] into its input. The model returns
logits; their channels are the classes of `config.json`, in its order.
{results}
## Data

{training}Trained on {card.dataset}. Licence of the data: {card.data_license}.
Check that it allows what you want to do with the weights.
"""
