from collections import Counter

from switchseg.classes import Classes
from switchseg.data.findings import Findings
from switchseg.data.labels import LabelMap, Meaning

CLASSES = Classes(("road", "sky"), ((128, 128, 128), (0, 0, 255)))


def meaning(label_map: LabelMap) -> Meaning:
    return Meaning(CLASSES, label_map, "auto")


def test_findings_add_up() -> None:
    found = Findings(images=2, problems=["a: broken"], values=Counter({0: 5, 255: 1}), names=Counter("ab"))
    found.add(Findings(images=1, problems=["b: broken"], values=Counter({0: 2, 1: 3}), names=Counter("a")))
    assert (found.images, found.problems) == (3, ["a: broken", "b: broken"])
    assert found.values == {0: 7, 1: 3, 255: 1}
    assert found.names == {"a": 2, "b": 1}


def test_a_name_may_occur_again_in_another_split() -> None:
    found = Findings(images=2, names=Counter("ab"))
    found.add_split(Findings(images=3, names=Counter("aac")))
    assert found.images == 5
    assert found.names == {"a": 2, "b": 1, "c": 1}


def test_pixels_and_images_of_classes_leave_out_what_is_ignored() -> None:
    found = Findings(values=Counter({0: 5, 1: 2, 255: 9}), images_with=Counter({0: 2, 1: 1, 255: 2}))
    identity = meaning(LabelMap.identity(CLASSES))
    assert found.class_pixels(identity).tolist() == [5, 2]
    assert found.class_images(identity).tolist() == [2, 1]


def test_a_grey_file_among_colour_masks_holds_colours_of_equal_channels() -> None:
    found = Findings(values=Counter({128: 4, 300: 1}), colours=Counter({0x0000FF: 6, 0x808080: 1}))
    assert found.class_pixels(meaning(LabelMap.palette(CLASSES, []))).tolist() == [5, 6]
