"""Advice that is followed by program must mend what it was given for."""

import shutil

import numpy as np
import pytest
import yaml

from switchseg.cli import main
from switchseg.data.datasets import open_dataset
from switchseg.data.proposal import combined, written
from switchseg.data.readers.camvid import CAMVID
from tests.data.trees import picture, save, values


def write(root, labels, files):
    for name, text in files.items():
        (root / name).write_text(text)
    for number, label in enumerate(labels):
        for split in ("train", "val"):
            save(root / f"images/{split}/{number}.png", picture(number, *label.shape[:2]))
            save(root / f"masks/{split}/{number}.png", label)


def colours(*palette):
    return np.array(palette, np.uint8)[values(0, list(range(len(palette))))]


ROAD = "classes: [road, car]\n"
MASKS = f"{ROAD}palette: [[128, 64, 128], [0, 0, 142]]\ncolour_masks: true\n"
CASES = {
    "0/255": (values(0, [0, 255]), {"classes.txt": "back\nfront\n"}),
    "0/255, one name": (values(0, [0, 255]), {"classes.txt": "building\n"}),
    "0/255, no names": (values(0, [0, 255]), {}),
    "0/1, one name": (values(0, [0, 1]), {"classes.txt": "building\n"}),
    "void last": (values(0, list(range(12))), {"classes.txt": "\n".join(CAMVID.names)}),
    "off by one": (values(0, [1, 2]), {"dataset.yaml": ROAD}),
    "one more": (values(0, [0, 1, 2]), {"dataset.yaml": ROAD}),
    "one more to ignore": (values(0, [0, 1, 5, 9]), {"dataset.yaml": f"{ROAD}ignore: [5]\n"}),
    "two more": (values(0, [0, 1, 2, 3]), {"dataset.yaml": ROAD}),
    "grey levels": (values(0, [0, 127, 254]), {"classes.txt": "a\nb\nc\n"}),
    "no names": (values(0, [0, 1, 7]), {}),
    "colours": (colours((128, 64, 128), (0, 0, 142)), {"dataset.yaml": ROAD}),
    "colours and black": (colours((128, 64, 128), (0, 0, 142), (0, 0, 0)), {}),
    "void colour": (colours((128, 64, 128), (0, 0, 142), (224, 224, 224)), {"dataset.yaml": MASKS}),
    "red for blue": (colours((128, 64, 128), (142, 0, 0)), {"dataset.yaml": MASKS}),
    "colours and a value to ignore": (
        colours((128, 64, 128), (0, 0, 142)),
        {"dataset.yaml": f"{ROAD}palette: [[128, 64, 128], [0, 0, 142]]\nignore: [17]\n"},
    ),
    "one level off": (colours((129, 65, 129), (1, 1, 143)), {"dataset.yaml": MASKS}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_proposed_is_accepted(tmp_path, capsys, case):
    label, files = CASES[case]
    write(tmp_path, [label], files)
    command = ["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]
    main([*command, "--propose", str(tmp_path / "dataset.yaml")])
    capsys.readouterr()
    assert main(command) == 0, capsys.readouterr().out
    dataset = open_dataset("folder", tmp_path, "val")
    classes = set(np.unique(dataset.read(0).label).tolist()) - {255}
    assert len(classes) >= 2
    assert max(classes) < len(dataset.classes)


def test_each_of_two_readings_has_a_picture(tmp_path, capsys):
    write(tmp_path, [values(0, [0, 1, 2, 3])], {"dataset.yaml": "classes: [a, b, c]\n"})
    command = ["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]
    out, page = tmp_path / "out/proposal.yaml", tmp_path / "out/page.html"
    assert main([*command, "--propose", str(out), "--html", str(page)]) == 2
    pictures = sorted(path.name for path in out.parent.glob("*.png"))
    assert pictures == ["proposal-1-1.png", "proposal-1-2.png", "proposal-1-3.png"]
    assert len({(out.parent / name).read_bytes() for name in pictures}) == 3
    assert page.read_text().count("<figure>") >= 3
    assert "splits: train 1 images, val 1 images" in capsys.readouterr().out


def test_what_contradicts_is_replaced():
    before = {"classes": ["a"], "palette": [[1, 2, 3]], "reduce_zero_label": True, "ignore": [7]}
    assert "reduce_zero_label" not in combined(before, {"label_map": {0: 0}})
    assert "palette" not in combined(before, {"classes": ["a", "b"]})
    assert combined(before, {"ignore": [8, 7]})["ignore"] == [7, 8]


def test_what_is_ignored_stays_ignored_among_colours():
    before = {"label_map": {0: 0, 1: 1}, "ignore": [17, 300]}
    colours = {"colour_masks": True, "palette": [[1, 2, 3], [4, 5, 6]]}
    assert combined(before, colours) == {**colours, "ignore": [[17, 17, 17]]}
    masks = {**colours, "ignore": [[3, 2, 1], [7, 8, 9]]}
    assert combined(masks, {"palette": [[3, 2, 1], [6, 5, 4]]})["ignore"] == [[7, 8, 9]]
    assert combined(masks, {"label_map": {0: 0, 1: 1}}) == {"palette": colours["palette"], "label_map": {0: 0, 1: 1}}


def test_a_proposal_is_read_as_it_was_meant():
    settings = {"label_map": {k: k % 3 for k in range(200)}, "classes": ["on", "b: c", "ä" * 90]}
    assert yaml.safe_load(written(settings, ["a\nremark"])) == settings


def test_where_nothing_is_wrong_the_proposal_says_nothing_new(tmp_path, tiny_camvid):
    root = tmp_path / "camvid"
    shutil.copytree(tiny_camvid, root)
    command = ["check-data", "--dataset", "camvid", "--root", str(root), "--workers", "1"]
    assert main([*command, "--propose", str(root / "dataset.yaml")]) == 0
    assert yaml.safe_load((root / "dataset.yaml").read_text()) is None
    assert main(command) == 0
