"""Files that ask for more time or memory than they are large are refused before they are loaded."""

import collections
import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from switchseg.errors import UserError
from switchseg.models.pickled import check_torch_file
from switchseg.models.weights import read_weights


def archive(path: Path, instructions: bytes, compression: int = zipfile.ZIP_STORED, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        contents = {"data.pkl": instructions, "version": b"3\n", "byteorder": b"little", **entries}
        for name, content in contents.items():
            file.writestr(f"archive/{name}", content)
    return path


def nested(levels: int, key: bytes) -> bytes:
    """A tuple of two that are one, so many levels deep, as the key of a dict."""
    pairs = b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(levels))
    return b"\x80\x02K\x01q\x00" + pairs + b"}h" + bytes([levels]) + key + b"."


def called(module: str, name: str, argument: bytes) -> bytes:
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + argument + b"\x85R."


HUGE = b"\x8a\x05\0\0\0\0\x20"  # 2^37
STORAGE = b"\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu" + HUGE
BOMBS = {
    "tuples": nested(60, b"K\x01s"),
    "depth": b"\x80\x02)" + b"\x85" * 100_000 + b".",
    "bytearray": called("builtins", "bytearray", HUGE),
    "bytearray of Python 2": called("__builtin__", "bytearray", HUGE),
    "storage": called("torch", "FloatStorage", HUGE),
    "untyped storage": called("torch.storage", "UntypedStorage", HUGE),
    "storage of the file": STORAGE + b"tQ.",
    "old storage": STORAGE + b"NtQ.",
    "instructions": b"\x80\x02" + b"K\x010" * (2 << 20) + b"N.",
    "no end": b"\x80\x02}",
    "nothing on the stack": b"\x80\x02s.",
    "no mark": b"\x80\x02u.",
    "nothing remembered": b"\x80\x02h\x05.",
    "no pickle": b"\xff\xfe\xfd",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("whole", [True, False], ids=["archive", "old format"])
def test_what_would_take_long_or_much_is_refused(tmp_path: Path, name: str, whole: bool) -> None:
    path = tmp_path / "bomb.pth"
    archive(path, BOMBS[name]) if whole else path.write_bytes(BOMBS[name])
    with pytest.raises(UserError, match=r"bomb\.pth: no whole weight file") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)


def test_an_archive_that_grows_when_it_is_read_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.pth", b"\x80\x02}.", zipfile.ZIP_DEFLATED, **{"data/0": bytes(10 << 20)})
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ValueError, match="compressed"):
        check_torch_file(path)


@pytest.mark.parametrize("old", [False, True])
def test_what_torch_saves_is_let_through(tmp_path: Path, old: bool) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 8))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 3, 4, 10)).sum().backward()
    optimizer.step()
    contents = [
        model.state_dict(),
        {"state_dict": model.state_dict(), "epoch": 3, "best": 0.5, "optimizer": optimizer.state_dict()},
        collections.OrderedDict(
            weight=nn.Parameter(torch.randn(2)), half=torch.ones(3).half(), view=torch.ones(4, 4).t()
        ),
        {"size": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float16, "none": None, "text": "ä"},
        {"empty": torch.empty(0), "scalar": torch.tensor(1_000_000), "bool": torch.ones(2, dtype=torch.bool)},
        {f"layer{index}": torch.randn(1) for index in range(2000)},
    ]
    for index, content in enumerate(contents):
        torch.save(content, tmp_path / f"{index}.pth", _use_new_zipfile_serialization=not old)
        check_torch_file(tmp_path / f"{index}.pth")


def test_a_plain_pickle_is_followed_too(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(pickle.dumps({"a": [1, 2.5, ("b", None)]}))
    check_torch_file(tmp_path / "x.pth")
    content = io.BytesIO()
    torch.save({"a": torch.ones(3)}, content)
    (tmp_path / "cut.pth").write_bytes(content.getvalue()[:-30])
    with pytest.raises(ValueError, match="damaged archive"):
        check_torch_file(tmp_path / "cut.pth")
