from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

from switchseg.checkpoints.hub import Card, from_pretrained, push_to_hub, save_pretrained
from switchseg.errors import UserError
from switchseg.models.create import create_model

CARD = Card(
    dataset="ADE20K (scene parsing benchmark)",
    data_license="non-commercial research and education",
    license="cc-by-nc-4.0",
    scores={"mean_iou": 0.3872, "pixel_accuracy": 0.789},
    protocol="2000 validation images, short side 450.",
)


def test_a_folder_for_the_hub_is_a_model_directory_with_a_card(tmp_path: Path) -> None:
    model = create_model("resnet18", "c1", "bn", 3)
    save_pretrained(model, tmp_path / "repo", CARD)
    assert from_pretrained(str(tmp_path / "repo")).spec == model.spec
    card = ModelCard.load(tmp_path / "repo" / "README.md")
    assert card.data.to_dict()["license"] == "cc-by-nc-4.0"
    assert card.data.library_name == "switchseg"
    for words in ("38.72 %", "78.90 %", "short side 450", "non-commercial research and education", "resnet18 + c1, bn"):
        assert words in card.content


def test_the_hub_out_of_reach_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="^somebody/nothing: no such folder, and not to be had from the hub [^\n]*$"):
        from_pretrained("somebody/nothing")
    with pytest.raises(UserError, match="^not a name: "):
        from_pretrained("not a name")
    with torch.device("meta"), pytest.raises(UserError, match="^somebody/nothing: cannot be pushed to the hub [^\n]*$"):
        push_to_hub(create_model("resnet18", "c1", "bn", 3).to_empty(device="cpu"), "somebody/nothing", CARD, tmp_path)
