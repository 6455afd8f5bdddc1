import numpy as np
import pytest

from switchseg.data.datasets import open_dataset
from switchseg.errors import UserError
from tests.data.trees import picture, save, values


def write(root, labels="labels", split="train", stems=("a", "b")):
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("one\ntwo\n")
    for seed, stem in enumerate(stems):
        save(root / "images" / split / f"{stem}.jpg", picture(seed))
        save(root / labels / split / f"{stem}.png", values(seed, [0, 1, 255]))
    return root


@pytest.mark.parametrize("labels", ["annotations", "masks", "labels"])
@pytest.mark.parametrize("split", ["train", "training", ""])
def test_labels_are_matched_by_stem(tmp_path, labels, split):
    dataset = open_dataset("folder", write(tmp_path, labels, split), "train")
    assert len(dataset) == 2
    assert np.array_equal(dataset.read(1).label, values(1, [0, 1, 255]))
    assert dataset.classes.names == ("one", "two")


def test_folders_below_and_names_beyond_ascii(tmp_path):
    dataset = open_dataset("folder", write(tmp_path, stems=("Zürich/東京 1", "Bern/x")), "train")
    assert [dataset.read(i).name for i in range(2)] == ["Bern__x", "Zürich__東京 1"]


def test_a_link_that_leads_in_a_circle_is_followed_once(tmp_path):
    write(tmp_path)
    (tmp_path / "images/train/again").symlink_to(tmp_path / "images/train")
    assert len(open_dataset("folder", tmp_path, "train")) == 2


def test_linked_folders_are_read(tmp_path):
    write(tmp_path / "disk")
    root = tmp_path / "root"
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("one\ntwo\n")
    for name in ("images", "labels"):
        (root / name).symlink_to(tmp_path / "disk" / name)
    assert len(open_dataset("folder", root, "train")) == 2


def test_two_images_of_one_stem_are_named(tmp_path):
    write(tmp_path)
    save(tmp_path / "images/train/a.png", picture(0))
    with pytest.raises(UserError, match=r"a\.png: a\.jpg has the same stem"):
        open_dataset("folder", tmp_path, "train")


def test_without_class_names_it_says_where_they_go(tmp_path):
    write(tmp_path)
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(UserError, match="write the class names to classes.txt, one a line"):
        open_dataset("folder", tmp_path, "train")


def test_an_unknown_split_lists_the_known(tmp_path):
    with pytest.raises(UserError, match="images/val: no such folder; there is train"):
        open_dataset("folder", write(tmp_path), "val")


def test_settings_of_dataset_yaml_apply(tmp_path):
    write(tmp_path)
    (tmp_path / "dataset.yaml").write_text("classes: [one]\nreduce_zero_label: true\n")
    label = open_dataset("folder", tmp_path, "train").read(0).label
    assert np.array_equal(label, np.where(values(0, [0, 1, 255]) == 1, 0, 255))


@pytest.mark.parametrize("separator", [" ", "\t", ","])
def test_lists_of_pairs(tmp_path, separator):
    write(tmp_path)
    line = separator.join(("images/train/b.jpg", "labels/train/b.png"))
    (tmp_path / "list.txt").write_text(f"{line}\n")
    sample = open_dataset("folder", tmp_path, "train", tmp_path / "list.txt").read(0)
    assert np.array_equal(sample.label, values(1, [0, 1, 255]))
    assert sample.name == "b"


def test_lists_of_json_lines_keep_the_labels_of_the_folder(tmp_path):
    write(tmp_path)
    (tmp_path / "list.jsonl").write_text('{"fpath_img": "images/train/a.jpg", "fpath_segm": "labels/train/a.png"}\n')
    label = open_dataset("folder", tmp_path, "train", tmp_path / "list.jsonl").read(0).label
    assert np.array_equal(label, values(0, [0, 1, 255]))


def test_pairs_that_leave_the_root_or_are_none_are_named(tmp_path):
    write(tmp_path)
    (tmp_path / "list.txt").write_text("images/train/a.jpg ../secret.png\n")
    with pytest.raises(UserError, match=r"list\.txt: \.\./secret\.png leads out of"):
        open_dataset("folder", tmp_path, "train", tmp_path / "list.txt")
    (tmp_path / "list.txt").write_text("a b c\n")
    with pytest.raises(UserError, match=r"list\.txt: 'a b c' is no pair"):
        open_dataset("folder", tmp_path, "train", tmp_path / "list.txt")


@pytest.mark.parametrize(
    "line", ["a", "image,label", "# my list", '"images/a,b.jpg","labels/a,b.png"', "a,b.jpg c.png"]
)
def test_lines_that_name_no_image_file_are_refused_when_the_list_is_opened(tmp_path, line):
    write(tmp_path)
    (tmp_path / "list.txt").write_text(f"{line}\n")
    with pytest.raises(UserError, match=r"list\.txt: .* is no pair"):
        open_dataset("folder", tmp_path, "train", tmp_path / "list.txt")


def test_lists_as_windows_writes_them(tmp_path):
    write(tmp_path)
    (tmp_path / "list.txt").write_bytes("\ufeff \r\nimages\\train\\b.jpg labels\\train\\b.png\r\n".encode())
    dataset = open_dataset("folder", tmp_path, "train", tmp_path / "list.txt")
    assert len(dataset) == 1
    assert np.array_equal(dataset.read(0).label, values(1, [0, 1, 255]))
    (tmp_path / "list.txt").write_text("..\\secret.jpg a.png\n")
    with pytest.raises(UserError, match="leads out of"):
        open_dataset("folder", tmp_path, "train", tmp_path / "list.txt")


def test_labels_saved_as_jpeg_are_told(tmp_path, caplog):
    write(tmp_path)
    for path in list((tmp_path / "labels/train").iterdir()):
        path.rename(path.with_suffix(".jpg"))
    open_dataset("folder", tmp_path, "train")
    assert "2 labels are JPEG files, whose compression changes label values" in caplog.text


def test_a_name_that_is_no_text_becomes_one(tmp_path):
    write(tmp_path, stems=(b"caf\xe9".decode("utf-8", "surrogateescape"),))
    dataset = open_dataset("folder", tmp_path, "train")
    assert dataset.read(0).name == "caf\\udce9"
    assert np.array_equal(dataset.read(0).label, values(0, [0, 1, 255]))
