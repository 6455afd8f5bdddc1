import os

import numpy as np
import pytest
from PIL import Image

from switchseg.demo.uploads import Limits, read_upload
from switchseg.errors import UserError

LIMITS = Limits(megabytes=1, megapixels=1, long_side=100)


def test_a_small_image_comes_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image, remark = read_upload(tmp_path / "a.png", LIMITS)
    assert (image == pixels).all()
    assert remark == "a.png"


def test_a_larger_image_is_scaled_down_and_the_visitor_is_told(tmp_path):
    Image.new("RGB", (500, 250), (9, 8, 7)).save(tmp_path / "a.png")
    image, remark = read_upload(tmp_path / "a.png", LIMITS)
    assert image.shape == (50, 100, 3)
    assert (image == (9, 8, 7)).all()
    assert remark == "a.png, scaled down from 500 x 250 pixels"


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    Image.new("1", (2000, 1000)).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:60])  # the header alone
    with pytest.raises(UserError, match=r"a\.png has 2000 x 1000 pixels, more than the 1 megapixels"):
        read_upload(tmp_path / "a.png", LIMITS)


def test_pillows_own_limit_is_told_as_ours(tmp_path):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png has more than the 1 megapixels that this page takes"):
        read_upload(tmp_path / "a.png", LIMITS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", b"hello", "not an image"),
        ("fake.png", b"\x89PNG\r\n\x1a\n" + bytes(50), "image"),
        ("page.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "it takes JPEG, PNG"),
        ("cut.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", "not an image"),
        ("noise.png", os.urandom(2 * 2**20), "more than 1 MB"),
        ("empty.jpg", b"", "not an image"),
    ],
)
def test_what_is_no_image_is_refused_without_naming_a_folder(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_upload(tmp_path / name, LIMITS)
    assert str(caught.value).startswith(name)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_was_deleted_is_asked_for_again(tmp_path):
    with pytest.raises(UserError, match="drop it again"):
        read_upload(tmp_path / "gone.png", LIMITS)
