from pathlib import Path

import pytest

from switchseg.data.readers.endings import PLAIN, Ending, endings_between, endings_within
from switchseg.errors import UserError

FOLDER = Path("data")
STEMS = ("aachen_000000_000019", "street_a", "street_b", "10")


def between(images, labels):
    return endings_between(images, labels, (FOLDER / "images", FOLDER / "masks"))


def names(*patterns, stems=STEMS):
    return [pattern.replace("*", stem) for stem in stems for pattern in patterns]


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("*_image.jpg", "*_mask.png"),
        ("*_img.png", "*_label.png"),
        ("*.jpg", "*_seg.png"),
        ("*_rgb.png", "*_gt.png"),
        ("*_rgb.png", "*.png"),
        ("*_leftImg8bit.png", "*_gtFine_labelIds.png"),
        ("* photo.png", "* annotation.png"),
        ("*-IMG.PNG", "*-MASK.PNG"),
        ("*_image.png", "*_label_image.png"),
        ("*_foo.jpg", "*_bar.png"),
        ("*_foo.png", "*_seg_bar.png"),
        ("*.png", "*_foo.png"),
        ("*_foo.jpg", "*.png"),
    ],
)
def test_images_and_labels_in_one_folder_are_told_apart(image, label):
    expected = tuple(Ending(pattern.rpartition(".")[0].removeprefix("*")) for pattern in (image, label))
    for stems in (STEMS, STEMS[1:2]):
        assert endings_within(names(image, label, stems=stems), FOLDER) == expected
    # Not every image has a label.
    assert endings_within([*names(image, label), image.replace("*", "c")], FOLDER) == expected


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_photographs_go_with_labels_of_the_same_name(suffix):
    found = endings_within([*names("*.jpg", f"*{suffix}"), "c.JPEG"], FOLDER)
    assert found == (Ending(suffix=".jpg"), Ending(suffix=suffix))
    assert found is not None
    assert [*map(str, found)] == ["*.jpg", f"*{suffix}"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            names("*_foo.png", "*_bar.png"),
            r"data: \*_bar and \*_foo belong together, but which are the labels cannot be told; put the images into",
        ),
        (names("*_rgb.png", "*_depth.png", "*_gt.png"), r"files of several kinds, \*_gt, \*_rgb, \*_depth; keep"),
        (names("*.jpg", "*_mask.png", "*_edges.png"), r"files of several kinds, \*, \*_mask, \*_edges; keep"),
        (
            names("*_leftImg8bit.png", "*_gtFine_color.png", "*_gtFine_labelIds.png"),
            r"files of several kinds, \*_leftImg8bit, \*_gtFine_color, \*_gtFine_labelIds; keep",
        ),
        (
            [*names("*_image.jpg", "*_mask.png"), "logo.png"],
            r"data: 1 of 9 names do not end in _mask or _image as the others do \(logo\); rename or move",
        ),
    ],
)
def test_what_can_be_taken_in_two_ways_is_refused(files, reason):
    with pytest.raises(UserError, match=reason):
        endings_within(files, FOLDER)


@pytest.mark.parametrize(
    "files",
    [
        [],
        names("*.jpg"),
        names("*.png", "*.bmp"),
        [*names("*.jpg", "*x.jpg"), "10_a.jpg", "10_b.jpg"],
        names("*_image.png"),
    ],
)
def test_a_folder_of_images_alone_holds_no_pairs(files):
    assert endings_within(files, FOLDER) is None


def test_labels_in_a_folder_of_their_own_need_no_words():
    assert between(["a_left", "b_left"], ["a_right", "b_right"]) == (Ending("_left"), Ending("_right"))
    assert between(["my_town/a", "my_town/b"], ["my_town/a.mask", "my_town/b.mask"]) == (PLAIN, Ending(".mask"))
    assert between(["a_x", "b_x"], ["a_x", "b_x", "a_x_old", "b_x_old"]) == (PLAIN, PLAIN)
    assert between(["a_1", "b_1"], ["a_2", "b_2"]) == (PLAIN, PLAIN)
    assert between(["a"], []) == (PLAIN, PLAIN)


def test_most_images_decide_where_labels_are_missing():
    assert between(["a", "b", "c"], ["a_mask", "b_mask"]) == (PLAIN, Ending("_mask"))
    assert between(["a_image", "b_image", "c_image"], ["b_mask"]) == (Ending("_image"), Ending("_mask"))
    assert between(["a", "b", "c"], ["a", "b", "c_mask"]) == (PLAIN, PLAIN)


def test_an_image_that_is_called_otherwise_is_named():
    with pytest.raises(UserError, match=r"data/images: 1 of 3 names do not end in _image as the others do \(logo\)"):
        between(["a_image", "b_image", "logo"], ["a_mask", "b_mask"])
