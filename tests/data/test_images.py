import io
import logging
import os
import re
import struct

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from switchseg.data.images import check_decoder, image_size, read_image, rgb_pixels
from switchseg.data.label_files import read_label
from switchseg.errors import UserError
from tests.data.trees import picture, save


def test_png_comes_back_pixel_by_pixel(tmp_path):
    pixels = picture(0)
    assert np.array_equal(read_image(save(tmp_path / "a.png", pixels)), pixels)


def test_bytes_read_like_a_file(tmp_path):
    path = save(tmp_path / "a.jpg", picture(0))
    assert np.array_equal(read_image(path.read_bytes(), "row 3"), read_image(path))


def test_pillow_says_nothing_beside_the_line_that_refuses_a_file(tmp_path, capsys, monkeypatch):
    path = save(tmp_path / "a.tif", picture(0))
    content = path.read_bytes()
    samples = struct.pack("<HHI", TiffImagePlugin.SAMPLESPERPIXEL, 3, 1)
    assert content.count(samples) == 1
    # As in a program of its own, where nobody has set up logging.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    place = content.index(samples) + len(samples)
    with pytest.raises(UserError):
        read_image(content[:place] + struct.pack("<H", 2048) + content[place + 2 :], "a.tif")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("decoder", ["pillow", "simplejpeg"])
def test_exif_orientation_is_applied(tmp_path, orientation, decoder):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.jpg", picture(0), exif=exif, quality=95)
    stored = np.asarray(Image.open(path))
    by_hand = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored.transpose(1, 0, 2)[:, ::-1],
        7: stored.transpose(1, 0, 2)[::-1, ::-1],
        8: stored.transpose(1, 0, 2)[::-1],
    }[orientation]
    assert np.array_equal(read_image(path, decoder=decoder), by_hand)
    assert np.array_equal(read_image(path, decoder=decoder, upright=False), stored)
    assert image_size(path) == by_hand.shape[:2]


def test_simplejpeg_gives_the_pixels_of_pillow(tmp_path):
    path = save(tmp_path / "a.jpg", picture(3, 64, 80))
    assert np.array_equal(read_image(path, decoder="simplejpeg"), read_image(path))


def test_simplejpeg_leaves_other_formats_to_pillow(tmp_path):
    path = save(tmp_path / "a.png", picture(3))
    assert np.array_equal(read_image(path, decoder="simplejpeg"), picture(3))


def test_cmyk_is_converted(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(picture(0)).convert("CMYK").save(path, quality=95)
    assert np.abs(read_image(path).astype(int) - picture(0)).max() < 16


def test_sixteen_bits_keep_their_high_byte(tmp_path):
    wide = (np.arange(600, dtype=np.uint16).reshape(20, 30) * 100).astype(np.uint16)
    image = read_image(save(tmp_path / "a.png", wide))
    assert np.array_equal(image[..., 0], (wide >> 8).astype(np.uint8))
    assert image.shape == (20, 30, 3)


def test_palette_grey_and_alpha_are_converted(tmp_path):
    grey = picture(0)[..., 0]
    assert np.array_equal(read_image(save(tmp_path / "g.png", grey)), np.repeat(grey[..., None], 3, axis=2))
    with_alpha = np.dstack((picture(1), np.full((20, 30), 7, np.uint8)))
    assert np.array_equal(read_image(save(tmp_path / "a.png", with_alpha)), picture(1))
    indexed = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    indexed.putpalette([c for index in range(6) for c in (index * 40, 10, 250 - index)])
    indexed.save(tmp_path / "p.png", transparency=b"\x00\x80")
    assert read_image(tmp_path / "p.png")[1, 2].tolist() == [200, 10, 245]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "avif", "tif"])
def test_several_frames_or_pages_are_refused(tmp_path, suffix):
    frames = [Image.new("RGB", (9, 7), colour) for colour in ((250, 0, 0), (0, 0, 250))]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    for read in (read_image, image_size, read_label):
        with pytest.raises(UserError, match=rf"a\.{suffix}: holds several (frames|pages); one image was expected"):
            read(path)
    frames[0].save(path, save_all=True)
    assert read_image(path).shape == (7, 9, 3)


def test_previews_and_masks_are_no_pages_of_their_own(tmp_path):
    path, pixels = tmp_path / "a.tif", picture(0)
    with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as file:
        for subfile, page in enumerate((pixels, pixels[::2, ::2], pixels[::4, ::4])):
            Image.fromarray(page).save(file, "tiff", tiffinfo={254: (0, 1, 4)[subfile]})
            file.newFrame()
    assert np.array_equal(read_image(path), pixels)
    assert image_size(path) == pixels.shape[:2]


def test_one_pixel(tmp_path):
    assert read_image(save(tmp_path / "a.png", np.full((1, 1, 3), 9, np.uint8))).tolist() == [[[9, 9, 9]]]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_hundred_megapixels_are_read(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (10_000, 10_000), 77).save(path, compress_level=1)
    assert image_size(path) == (10_000, 10_000)
    image = read_image(path)
    assert image.shape == (10_000, 10_000, 3)
    assert image[-1, -1].tolist() == [77, 77, 77]


def test_more_than_pillow_opens_is_one_line(tmp_path):
    path = tmp_path / "huge.png"
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    small = io.BytesIO()
    Image.new("L", (1, 1)).save(small, "png")
    content = bytearray(small.getvalue())
    content[16:29] = header
    content[29:33] = struct.pack(">I", __import__("zlib").crc32(bytes(content[12:29])))
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"huge\.png: more than 179 megapixels") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("decoder", ["pillow", "simplejpeg"])
def test_truncated_file_is_named(tmp_path, suffix, decoder):
    path = save(tmp_path / f"cut.{suffix}", np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"cut\.{suffix}: a damaged image file") as caught:
        read_image(path, decoder=decoder)
    assert "\n" not in str(caught.value)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"text\.jpg: not an image file"):
        read_image(tmp_path / "text.jpg")
    with pytest.raises(UserError, match=r"empty\.png: an empty file"):
        read_image(tmp_path / "empty.png")
    with pytest.raises(UserError, match="a member: an empty file"):
        read_image(b"", "a member")
    with pytest.raises(UserError, match="missing.png: no such file"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(UserError, match="cannot be read"):
        read_image(tmp_path)


def test_links_that_lead_nowhere_are_named(tmp_path):
    (tmp_path / "c.png").symlink_to(tmp_path / "absent.png")
    with pytest.raises(UserError, match=r"c\.png: a symbolic link to a file that is not there"):
        read_image(tmp_path / "c.png")
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(UserError, match="a symbolic link that leads back to itself"):
        read_image(tmp_path / "a.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file_is_named(tmp_path):
    path = save(tmp_path / "a.png", picture(0))
    path.chmod(0)
    with pytest.raises(UserError, match="Permission denied"):
        read_image(path)


def test_names_beyond_ascii(tmp_path):
    path = save(tmp_path / "Straße 東京.png", picture(0))
    assert np.array_equal(read_image(path), picture(0))


def test_unknown_decoder_lists_the_known():
    with pytest.raises(UserError, match="pillow, simplejpeg"):
        check_decoder("turbo")


def stored_in(suffix, orientation, tmp_path):
    """Save a grey picture with an EXIF entry; return its path and the pixels that are stored."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.repeat(picture(0)[..., :1], 3, axis=2)
    return save(tmp_path / f"a.{suffix}", pixels, exif=exif), pixels


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_orientation_is_applied_once_in_formats_that_pillow_turns_itself(tmp_path, suffix, orientation):
    path, stored = stored_in(suffix, orientation, tmp_path)
    upright = np.rot90(stored, {3: 2, 6: -1}[orientation])
    assert np.array_equal(read_image(path), upright)
    assert np.array_equal(read_image(path, upright=False), stored)
    assert image_size(path) == upright.shape[:2]
    assert image_size(path, upright=False) == stored.shape[:2]


def forms(folder):
    """Yield a picture in the kinds of files that people send."""
    grey = picture(4)[..., 0]
    image = Image.fromarray(grey).convert("RGB")
    for name, form in {
        "cmyk.jpg": image.convert("CMYK"),
        "alpha.png": image.convert("RGBA"),
        "palette.png": image.quantize(16),
        "grey-alpha.png": image.convert("LA"),
        "lab.tif": image.convert("LAB"),
        "16.png": Image.fromarray(grey.astype(np.uint16) << 8),
        "16.tif": Image.fromarray(grey.astype(np.uint16) << 8),
        "32.tif": Image.fromarray(grey.astype(np.int32) << 8),
        "a.avif": image,
        "a.jp2": image,
        "a.tga": image,
        "a.jfif": image,
    }.items():
        form.save(folder / name, **({"format": "JPEG"} if name.endswith("jfif") else {}))
        yield folder / name
    image.save(folder / "two.jpg", format="MPO", save_all=True, append_images=[image.rotate(90)])
    yield folder / "two.jpg"


def test_an_open_image_gives_what_its_file_gives(tmp_path):
    for path in forms(tmp_path):
        with Image.open(path) as image:
            pixels = rgb_pixels(image)
        assert np.array_equal(pixels, read_image(path)), path.name
        assert np.abs(pixels - picture(4)[..., :1].astype(int)).mean() < 6, path.name


@pytest.mark.parametrize("pixels", [picture(0)[..., 0] / np.float32(255), np.full((4, 5), 70_000, np.int32)])
def test_pixels_without_a_fixed_range_are_refused(tmp_path, pixels):
    with pytest.raises(UserError, match=r"a\.tif: .*save the image with 8 or 16 bits"):
        read_image(save(tmp_path / "a.tif", pixels))


def test_only_the_formats_of_the_documentation_are_opened(tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    path = tmp_path / "x.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n%%EndComments\nshowpage\n")
    with pytest.raises(UserError, match=r"x\.jpg: not an image file"):
        read_image(path)
    assert not ran.exists()


def test_a_pipe_is_named_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg: cannot be read \(it is no regular file\)"):
        read_image(tmp_path / "a.jpg")


def complaint_about(content, name):
    try:
        read_image(content, name)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.filterwarnings("ignore")  # Pillow's own about what it finds damaged
@pytest.mark.parametrize("seed", range(30))
def test_damaged_files_of_every_format_are_one_line(tmp_path, seed):
    rng = np.random.default_rng(seed)
    for path in forms(tmp_path):
        content = bytearray(path.read_bytes())
        for place in rng.integers(0, min(len(content), 400), 6):
            content[place] = rng.integers(256)
        complaint = complaint_about(bytes(content), path.name)
        assert complaint is None or re.fullmatch(rf"{path.name}: .+", complaint)
