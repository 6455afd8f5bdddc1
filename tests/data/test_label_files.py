import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from switchseg.data.images import image_size
from switchseg.data.label_files import read_label
from switchseg.errors import UserError
from tests.data.trees import picture, save

STORED = np.arange(6, dtype=np.uint8).reshape(2, 3)


def png(path, samples, bits, colour=0):
    """Write samples [H, W] or [H, W, C] as a PNG file with this many bits a sample, as image optimizers do."""
    height, width = samples.shape[:2]
    rows = samples.reshape(height, -1).astype(np.uint16)
    if bits == 16:
        packed = rows.astype(">u2").view(np.uint8)
    else:
        unpacked = np.unpackbits(rows.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
        packed = np.packbits(unpacked.reshape(height, -1), axis=-1)
    raw = b"".join(b"\0" + row.tobytes() for row in packed)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(range(48))) if colour == 3 else b""
    chunks = chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_grey_png_holds_what_is_stored_however_many_bits_it_has(tmp_path, bits):
    samples = np.arange(2**bits if bits < 16 else 300).repeat(3).reshape(3, -1)
    assert np.array_equal(read_label(png(tmp_path / "a.png", samples, bits)), samples)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_png_holds_its_indices(tmp_path, bits):
    samples = np.arange(min(2**bits, 16)).repeat(3).reshape(3, -1)
    assert np.array_equal(read_label(png(tmp_path / "a.png", samples, bits, colour=3)), samples)


@pytest.mark.parametrize(("kind", "separator"), [("P2", " "), ("P5", "")])
@pytest.mark.parametrize("highest", [5, 255, 4095])
def test_a_pgm_file_is_not_scaled_to_its_highest_value(tmp_path, kind, separator, highest):
    content = f"{kind}\n3 2\n{highest}\n".encode()
    if kind == "P2":
        content += " ".join(map(str, STORED.flat)).encode()
    else:
        content += STORED.astype(np.uint8 if highest < 256 else ">u2").tobytes()
    (tmp_path / "a.pgm").write_bytes(content)
    assert np.array_equal(read_label(tmp_path / "a.pgm"), STORED)


@pytest.mark.parametrize("bits", [2, 4])
def test_a_grey_tiff_of_few_bits_holds_what_is_stored(tmp_path, bits):
    samples = np.arange(2**bits, dtype=np.uint8).repeat(4).reshape(4, -1)
    packed = np.packbits(np.unpackbits(samples[..., None], axis=-1)[..., 8 - bits :].reshape(4, -1), axis=-1).tobytes()
    height, width = samples.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: len(packed)}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = 8 + len(packed)
    (tmp_path / "a.tif").write_bytes(
        b"II*\0" + struct.pack("<I", start) + packed + struct.pack("<H", len(tags)) + table + bytes(4)
    )
    assert np.array_equal(read_label(tmp_path / "a.tif"), samples)


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jp2", "pgm", "png", "tga", "tif"])
def test_grey_files_of_every_lossless_format(tmp_path, suffix):
    assert np.array_equal(read_label(save(tmp_path / f"a.{suffix}", STORED)), STORED)


@pytest.mark.parametrize("suffix", ["bmp", "gif", "png", "tga", "tif"])
def test_palette_files_hold_their_indices(tmp_path, suffix):
    indexed = Image.fromarray(STORED)
    indexed.putpalette([c for index in range(256) for c in (index * 40 % 256, 10, 250)])
    indexed.save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_label(tmp_path / f"a.{suffix}"), STORED)


def test_a_palette_file_with_transparency_holds_its_indices(tmp_path):
    indexed = Image.fromarray(STORED)
    indexed.putpalette([c for index in range(6) for c in (index * 40, 10, 250)])
    indexed.save(tmp_path / "p.png", transparency=b"\x00\x80")
    assert np.array_equal(read_label(tmp_path / "p.png"), STORED)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_equal_channels_count_as_grey_and_alpha_plays_no_part(tmp_path, channels):
    planes = np.repeat(STORED[..., None], channels, axis=2)
    if channels != 3:
        planes[..., -1] = [[255, 0, 9], [1, 2, 3]]
    assert np.array_equal(read_label(save(tmp_path / "a.png", planes)), STORED)


def test_one_bit_and_sixteen_bits(tmp_path):
    Image.fromarray(STORED > 2).save(tmp_path / "1.png")
    assert np.array_equal(read_label(tmp_path / "1.png"), (STORED > 2).astype(np.uint8))
    for suffix in ("png", "tif"):
        wide = STORED.astype(np.uint16) * 300
        assert np.array_equal(read_label(save(tmp_path / f"16.{suffix}", wide)), wide)


@pytest.mark.parametrize(("channels", "colour"), [(2, 4), (3, 2), (4, 6)])
@pytest.mark.parametrize("colours", [False, True])
def test_channels_that_would_be_cut_to_eight_bits_are_refused(tmp_path, channels, colour, colours):
    planes = np.repeat(STORED[..., None].astype(np.uint16) * 300, channels, axis=2)
    with pytest.raises(UserError, match=r"a\.png: .*16 bits"):
        read_label(png(tmp_path / "a.png", planes, 16, colour), colours=colours)


@pytest.mark.parametrize(
    "pixels", [STORED.astype(np.float32), STORED.astype(np.int32) - 1, STORED.astype(np.int32) + 70_000]
)
def test_values_that_no_class_can_have_are_refused(tmp_path, pixels):
    with pytest.raises(UserError, match=r"a\.tif: .*label values"):
        read_label(save(tmp_path / "a.tif", pixels))


def test_indices_of_sixteen_bits_are_no_colours(tmp_path):
    with pytest.raises(UserError, match=r"a\.png: mode I(;16)?; a colour mask has 8 bits a channel"):
        read_label(save(tmp_path / "a.png", STORED.astype(np.uint16)), colours=True)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_is_ignored(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.full((8, 16), 7, np.uint8)
    stored[:, :8] = 3
    path = save(tmp_path / f"a.{suffix}", stored, exif=exif)
    assert image_size(path, upright=False) == (8, 16)
    assert np.abs(read_label(path).astype(int) - stored).max() <= (1 if suffix == "jpg" else 0)


def test_a_colour_mask_says_what_to_do(tmp_path):
    path = save(tmp_path / "c.png", picture(0))
    with pytest.raises(UserError, match=r"c\.png: a colour mask .*`colour_masks: true`"):
        read_label(path)
    assert np.array_equal(read_label(path, colours=True), picture(0))


def test_a_bitmap_that_pillow_takes_for_another_kind_is_refused(tmp_path):
    indexed = Image.fromarray(np.tile(STORED, (8, 8)) % 2)
    indexed.putpalette([0, 0, 0, 255, 255, 255])
    indexed.save(tmp_path / "a.bmp")
    content = bytearray((tmp_path / "a.bmp").read_bytes())
    assert content[28] == 8  # bits a pixel
    content[46] = 2  # colours of the palette: black and white
    (tmp_path / "a.bmp").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.bmp: a bitmap of a kind that is not read"):
        read_label(tmp_path / "a.bmp")
