import numpy as np
from PIL import Image

from switchseg.data.likely_mistakes import advise
from tests.data.surveyed import check, write
from tests.data.trees import save, values


def test_a_clean_data_set_has_no_findings(tmp_path):
    dataset = write(tmp_path, [values(seed, [0, 1, 2, 255]) for seed in range(40)])
    found = check(dataset, workers=2)
    assert found.images == 40
    assert found.problems == []
    assert found.sizes == {(20, 30): 40}
    every = np.stack([values(seed, [0, 1, 2, 255]) for seed in range(40)])
    assert found.class_pixels(dataset.meaning).tolist() == [(every == value).sum() for value in range(3)]
    assert found.class_images(dataset.meaning).tolist() == [40, 40, 40]
    assert advise(found, dataset.meaning) == []


def test_each_broken_sample_is_one_line(tmp_path):
    dataset = write(tmp_path, [values(seed, [0, 1, 2]) for seed in range(6)])
    (tmp_path / "images/train/0.png").write_bytes(b"broken")
    (tmp_path / "masks/train/1.png").unlink()
    save(tmp_path / "masks/train/2.png", values(0, [0, 1, 2], 5, 5))
    save(tmp_path / "masks/train/3.png", values(0, [0, 9]))
    Image.fromarray(values(0, [0, 1]).astype(np.int32) - 1).save(tmp_path / "masks/train/4.png", "TIFF")
    problems = check(dataset).problems
    assert len(problems) == 5
    expected = ("0.png: not an image", "1.png: no such file", "2.png: 5x5 pixels", "3.png: label value 9")
    for part in (*expected, "4.png: label values of -1 .. 0"):
        assert sum(part in problem for problem in problems) == 1
    assert not any("\n" in problem for problem in problems)
