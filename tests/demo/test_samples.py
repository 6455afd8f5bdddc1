import numpy as np
from PIL import Image

from switchseg.demo.samples import SAMPLES, run_pictures


def test_a_run_brings_its_own_images(tmp_path):
    (tmp_path / "pictures").mkdir()
    for level in range(10):
        Image.new("RGB", (24, 16), (20 * level,) * 3).save(tmp_path / "pictures" / f"{level}_image.jpg", quality=95)
    images = run_pictures(tmp_path)
    assert len(images) == SAMPLES
    assert [image.shape for image in images] == [(16, 24, 3)] * SAMPLES
    means = [image.mean() for image in images]
    assert means == sorted(means)
    assert np.ptp(means) > 170
    assert run_pictures(tmp_path / "nothing") == []
