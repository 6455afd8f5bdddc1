import gzip
import io
import pickle
import tarfile

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


def write_tar(path, names, size=None):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name in names:
            for suffix, content in (("seg.png", encoded(values(0, [0, 1]))), ("img.png", encoded(picture(0)))):
                member = tarfile.TarInfo(f"{name}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def test_a_damaged_index_is_made_again(root, tmp_path):
    before = open_dataset("webdataset", root, "train").record(4).name
    for kept in (tmp_path / "cache/switchseg/webdataset").iterdir():
        kept.write_bytes(kept.read_bytes()[:50])
    assert open_dataset("webdataset", root, "train").record(4).name == before


def test_without_a_place_for_the_index_it_is_made_each_time(root, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/no")
    assert len(open_dataset("webdataset", root, "train")) == 6


def test_a_line_break_in_a_name_is_refused_for_it_would_shift_all_others(root):
    write_tar(root / "val-0.tar", ["a\nb", "c"])
    with pytest.raises(UserError, match=r"val-0\.tar: 'a\\nb\.seg\.png' has a name with a line break"):
        open_dataset("webdataset", root, "val")


def test_members_that_cannot_be_whole_are_named(root):
    path = write_tar(root / "val-0.tar", ["a"])
    member = tarfile.TarInfo("z.jpg")
    member.size = 60 << 30
    path.write_bytes(path.read_bytes()[:-9000] + member.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(UserError, match=r"val-0\.tar: .*"):
        open_dataset("webdataset", root, "val")
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(UserError, match=r"val-0\.tar: z\.jpg has 64424509440 bytes"):
        open_dataset("webdataset", root, "val")


def test_compressed_shards_are_refused(root):
    path = write_tar(root / "val-0.tar", ["a"])
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(UserError, match=r"val-0\.tar: not a tar file"):
        open_dataset("webdataset", root, "val")
