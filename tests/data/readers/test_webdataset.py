import io
import pickle

import numpy as np
import pytest
from PIL import Image

from switchseg.data.datasets import open_dataset
from switchseg.errors import UserError
from tests.data.trees import picture, values

webdataset = pytest.importorskip("webdataset")


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two shards with three samples each, written by the library itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "classes.txt").write_text("a\nb\nc\n")
    for shard in range(2):
        with webdataset.TarWriter(str(folder / f"train-{shard:06d}.tar")) as writer:
            for number in range(3):
                seed = 3 * shard + number
                sample = {"img.png": encoded(picture(seed)), "seg.png": encoded(values(seed, [0, 1, 2, 255]))}
                writer.write({"__key__": f"x/{seed:03d}", "json": {"seed": seed}, **sample})
    return folder


@pytest.mark.parametrize("opening", ["first", "from the kept index"])
def test_samples_are_read_in_any_order(root, opening):
    if opening != "first":
        open_dataset("webdataset", root, "train")
    dataset = open_dataset("webdataset", root, "train")
    assert len(dataset) == 6
    for index in (4, 0, 5, 2):
        sample = dataset.read(index)
        assert np.array_equal(sample.image, picture(index))
        assert np.array_equal(sample.label, values(index, [0, 1, 2, 255]))
    assert dataset.read(4).name == "train-000001__x__004"
    assert np.array_equal(pickle.loads(pickle.dumps(dataset)).read(3).image, picture(3))


def test_shards_on_several_disks(root, tmp_path):
    (root / "train-000001.tar").rename(tmp_path / "elsewhere.tar")
    (root / "shards.txt").write_text(f"train-000000.tar\n{tmp_path}/elsewhere.tar\n")
    dataset = open_dataset("webdataset", root, "train", root / "shards.txt")
    assert np.array_equal(dataset.read(5).image, picture(5))


def test_a_png_beside_a_jpeg_is_its_label(root):
    with webdataset.TarWriter(str(root / "val-0.tar")) as writer:
        file = io.BytesIO()
        Image.fromarray(picture(0)).save(file, "jpeg")
        writer.write({"__key__": "a", "jpg": file.getvalue(), "png": encoded(values(0, [0, 1]))})
    assert np.array_equal(open_dataset("webdataset", root, "val").read(0).label, values(0, [0, 1]))


def test_bad_shards_are_named(root):
    (root / "val-0.tar").write_bytes(b"not a tar")
    with pytest.raises(UserError, match=r"val-0\.tar: not a tar file"):
        open_dataset("webdataset", root, "val")
    (root / "shards.txt").write_text("gone.tar\n")
    with pytest.raises(UserError, match=r"gone\.tar: no such shard"):
        open_dataset("webdataset", root, "val", root / "shards.txt")
    with webdataset.TarWriter(str(root / "test-0.tar")) as writer:
        writer.write({"__key__": "a", "txt": "no image"})
    with pytest.raises(UserError, match=r"test-0\.tar: a has no image"):
        open_dataset("webdataset", root, "test")
