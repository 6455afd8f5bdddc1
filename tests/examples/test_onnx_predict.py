"""The example labels as `switchseg predict` does, from what the file says of itself, without torch and SwitchSeg."""

import contextlib
import itertools
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, UnidentifiedImageError

from switchseg.checkpoints.model_directory import save_model
from switchseg.config.inference import Rule
from switchseg.data.images import FORMATS, read_image
from switchseg.engine.predictor import Predictor
from switchseg.errors import UserError
from switchseg.export import TARGETS
from switchseg.export.network import Deployed, Interface
from switchseg.models.create import create_model
from switchseg.preprocessing import BGR, RGB

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_predict.py"

RULES = {
    "a short side": Rule(short_sides=(72,)),
    "several, mirrored": Rule(short_sides=(48, 80), flip=True, resize="pil"),
    "windows": Rule(short_sides=(120,), window=64, stride=40),
    "a long side": Rule(short_sides=(300,), max_long_side=100),
}


def smooth(seed: int, size: tuple[int, int]) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))


def write_image(path: Path, kind: str) -> Path:
    image = Image.fromarray(smooth(1, (90, 121)))
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(path.with_suffix(".jpg"), exif=exif)
        return path.with_suffix(".jpg")
    if kind == "16 bits":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) << 8)
    elif kind != "RGB":
        image = image.convert(kind)
    image.save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def check(tmp_path: Path, interface: Interface, rule: Rule, kind: str = "RGB", preprocessing: object = RGB) -> None:
    torch.manual_seed(0)
    model = create_model("resnet18", "c1", "sn", num_classes=5, preprocessing=preprocessing).eval()
    save_model(model, tmp_path / "model")
    TARGETS["onnx"](Deployed(model, interface, rule), tmp_path / "model.onnx")
    source = write_image(tmp_path / "street", kind)
    files = [str(tmp_path / "model.onnx"), str(source), str(tmp_path / "labels.png")]
    done = subprocess.run([sys.executable, EXAMPLE, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "class" in done.stdout
    expected = Predictor(tmp_path / "model", rule=rule, device="cpu")(source).labels
    with Image.open(tmp_path / "labels.png") as labels:
        assert labels.mode == "P"
        found = np.asarray(labels)
    assert found.shape == expected.shape
    assert len(np.unique(expected)) > 1
    assert (found == expected).mean() >= 0.999


# Each case exports a network.
@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_the_rule_of_the_file_is_followed(tmp_path: Path, rule: str) -> None:
    check(tmp_path, Interface(), RULES[rule])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["L", "16 bits", "turned", "RGBA", "P"])
def test_images_are_read_as_predict_reads_them(tmp_path: Path, kind: str) -> None:
    check(tmp_path, Interface(preprocess=True, output="labels"), RULES["a short side"], kind)


@pytest.mark.parametrize("output", ["logits", pytest.param("probabilities", marks=pytest.mark.slow)])
def test_preprocessing_is_that_of_the_file(tmp_path: Path, output: str) -> None:
    check(tmp_path, Interface(output=output), RULES["a short side"], preprocessing=BGR)


KINDS = ("RGB", "L", "1", "P", "LA", "RGBA", "CMYK", "16 bits")


def picture(kind: str) -> Image.Image:
    image = Image.fromarray(smooth(1, (9, 14)))
    if kind == "16 bits":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) << 8)
    return image.convert(kind)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_every_kind_of_image_is_read_as_predict_reads_it(tmp_path: Path, suffix: str) -> None:
    read = runpy.run_path(str(EXAMPLE))["read"]
    compared = 0
    for kind, orientation in itertools.product(KINDS, range(1, 9)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{kind}{orientation}{suffix}"
        # PNG has no CMYK, JPEG neither alpha, palettes nor 16 bits.
        with contextlib.suppress(OSError):
            picture(kind).save(path, exif=exif)
            np.testing.assert_array_equal(read(str(path)), read_image(path), err_msg=path.name)
            compared += 1
    assert compared == {".tif": 64, ".png": 56, ".jpg": 32}[suffix]


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((4, 5), np.float32), "float pixels, which have no fixed range"),
        (np.full((4, 5), 70000, np.int32), "pixels reach from 70000 to 70000"),
    ],
)
def test_what_predict_refuses_is_refused(tmp_path: Path, pixels: np.ndarray, said: str) -> None:
    path = tmp_path / "wide.tif"
    Image.fromarray(pixels).save(path)
    for read in (runpy.run_path(str(EXAMPLE))["read"], read_image):
        with pytest.raises((SystemExit, UserError), match=said):
            read(str(path))


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_several_pages_or_frames_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"several{suffix}"
    first, second = (Image.new("RGB", (5, 4), colour) for colour in ("red", "blue"))
    first.save(path, save_all=True, append_images=[second])
    for read in (runpy.run_path(str(EXAMPLE))["read"], read_image):
        with pytest.raises((SystemExit, UserError), match="holds several"):
            read(str(path))


def test_no_format_is_opened_that_predict_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "page.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n%%EndComments\nshowpage\n")
    module = runpy.run_path(str(EXAMPLE))
    with pytest.raises(UnidentifiedImageError):
        module["read"](str(path))
    assert module["FORMATS"] == tuple(FORMATS)


@pytest.mark.parametrize("size", [(90, 121), (31, 200), (400, 57), (1, 1)])
def test_images_are_resized_as_opencv_does(size: tuple[int, int]) -> None:
    resize = runpy.run_path(str(EXAMPLE))["resize"]
    image = np.random.default_rng(0).integers(0, 256, (90, 121, 3), np.uint8)
    expected = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    difference = np.abs(resize(image, size, "cv2").astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_neither_torch_nor_switchseg_is_needed() -> None:
    watch = (
        f"import runpy, sys; runpy.run_path({str(EXAMPLE)!r}); assert not {{'torch', 'switchseg'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", watch], check=True)
