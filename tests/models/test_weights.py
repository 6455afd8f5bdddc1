import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from switchseg.errors import UserError
from switchseg.models.weights import check_keys, load_exactly, read_weights, translate
from switchseg.norms import LONG_TRAINED

STATE = {"a.weight": torch.randn(4, 3), "a.bias": torch.randn(4)}


class Code:
    """What unpickling would call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": STATE},
        {f"module.{key}": tensor for key, tensor in STATE.items()},
        {"state_dict": {f"module.{key}": tensor for key, tensor in STATE.items()}},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_wrappers_and_old_formats_are_understood(content: dict, zipped: bool, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    state = read_weights(tmp_path / "w.pth")
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[key], STATE[key]) for key in STATE)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.safetensors")
    assert read_weights(tmp_path / "w.safetensors").keys() == STATE.keys()


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    torch.save({"weight": Code(owned)}, tmp_path / "zip.pth")
    torch.save({"weight": Code(owned)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"weight": Code(owned)}, protocol=2))
    for name in ("zip.pth", "old.pth", "plain.pth"):
        with pytest.raises(UserError, match="loading it could run code"):
            read_weights(tmp_path / name)
    assert not owned.exists()


def test_damaged_files_are_told_in_one_line(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "whole.pth")
    save_file(STATE, tmp_path / "whole.safetensors")
    for whole in ("whole.pth", "whole.safetensors"):
        data = (tmp_path / whole).read_bytes()
        for length in (0, 1, 9, len(data) // 2, len(data) - 1):
            broken = tmp_path / f"broken{Path(whole).suffix}"
            broken.write_bytes(data[:length])
            with pytest.raises(UserError, match=r"broken.*no whole weight file") as caught:
                read_weights(broken)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}, {1: torch.ones(1)}])
def test_anything_else_than_tensors_by_name_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match="state_dict"):
        read_weights(tmp_path / "w.pth")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read_weights(tmp_path / "none.pth")


def test_every_difference_is_counted() -> None:
    found = {"b": torch.ones(1), "c": torch.ones(2), **{f"x{i}": torch.ones(1) for i in range(5)}}
    wanted = {"a": torch.ones(1), "b": torch.ones(1), "c": torch.ones(3)}
    with pytest.raises(UserError) as caught:
        check_keys(found, wanted, "file.pth")
    text = str(caught.value)
    assert "1 missing: a" in text
    assert "5 unexpected: x0, x1, x2 and 2 more" in text
    assert "1 of another shape: c 2 for 3" in text


def test_a_refused_state_leaves_the_module_alone() -> None:
    module = nn.Linear(3, 4)
    before = module.weight.clone()
    with pytest.raises(UserError):
        load_exactly(module, {"weight": torch.zeros(4, 3)}, "file")
    assert torch.equal(module.weight, before)


def test_norms_of_2018_become_flat_and_long_trained() -> None:
    wanted = {"bn.weight": torch.ones(4), "bn.running_mean": torch.ones(4), "bn.num_batches_tracked": torch.tensor(0)}
    theirs_of = {key: key.replace("bn", "sn1") for key in wanted}
    state = translate(
        {"sn1.weight": torch.ones(1, 4, 1, 1), "sn1.running_mean": torch.ones(1, 4, 1)}, theirs_of, wanted, "f"
    )
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == {
        "bn.weight": (4,),
        "bn.running_mean": (4,),
        "bn.num_batches_tracked": (),
    }
    assert state["bn.num_batches_tracked"] == LONG_TRAINED


def test_a_convolution_of_another_shape_is_not_flattened() -> None:
    with pytest.raises(UserError, match="of another shape: w 1x4x1x1 for 2x2x1x1"):
        translate({"w": torch.ones(1, 4, 1, 1)}, {"v": "w"}, {"v": torch.ones(2, 2, 1, 1)}, "f")
