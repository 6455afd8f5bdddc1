from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from switchseg.config.inference import Compute, Rule
from switchseg.engine.predictor import Predictor, usual_rule
from switchseg.errors import UserError

RULE = Rule(short_sides=(40, 64))


@pytest.fixture(scope="module")
def predictor(camvid_model: Path) -> Predictor:
    return Predictor(camvid_model, rule=RULE, device="cpu")


def picture(height: int = 40, width: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_every_kind_of_image_gives_the_same_labels(predictor: Predictor, tmp_path: Path) -> None:
    pixels = picture()
    Image.fromarray(pixels).save(tmp_path / "image.png")
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    alpha = np.dstack([pixels, np.full(pixels.shape[:2], 7, np.uint8)])
    kinds = [tmp_path / "image.png", str(tmp_path / "image.png"), Image.fromarray(pixels), tensor, tensor / 255, alpha]
    expected = predictor(pixels).labels
    for kind in kinds:
        np.testing.assert_array_equal(predictor(kind).labels, expected)


def test_channels_are_rgb(predictor: Predictor) -> None:
    assert not np.array_equal(predictor(picture()).confidence, predictor(picture()[..., ::-1]).confidence)


def test_grey_pixels_stand_for_equal_channels(predictor: Predictor) -> None:
    grey = picture()[..., 0]
    np.testing.assert_array_equal(predictor(grey).labels, predictor(np.dstack([grey] * 3)).labels)


def test_exif_orientation_of_a_pil_image_is_applied(predictor: Predictor, tmp_path: Path) -> None:
    image = Image.fromarray(picture())
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        assert predictor(turned).labels.shape == (60, 40)
    assert predictor(tmp_path / "turned.png").labels.shape == (60, 40)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (picture().astype(np.float32), TypeError, "must be uint8, not float32"),
        (torch.randn(3, 8, 8), ValueError, "from 0 to 1"),
        (picture()[None], ValueError, r"not \(1, 40, 60, 3\)"),
        (picture()[:0], ValueError, "shape"),
        (torch.empty(3, 0, 8), ValueError, "shape"),
        (Image.new("RGB", (0, 8)), ValueError, "shape"),
        (5, TypeError, "not int"),
        ("absent.jpg", UserError, r"^absent\.jpg: no such file$"),
    ],
)
def test_what_is_no_image_is_refused(predictor: Predictor, wrong: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        predictor(wrong)  # type: ignore[arg-type]


def test_batches_keep_the_order_and_the_labels(predictor: Predictor, camvid_model: Path) -> None:
    pairs = Predictor(camvid_model, rule=RULE, device="cpu", compute=Compute(images_per_batch=2))
    images = [picture(40, 60, 0), picture(56, 40, 1), picture(40, 60, 2), picture(40, 60, 3)]
    for image, prediction in zip(images, pairs.batch(images), strict=True):
        np.testing.assert_array_equal(prediction.image, image)
        np.testing.assert_allclose(prediction.probabilities, predictor(image).probabilities, atol=1e-5)


def test_the_image_of_a_batch_that_fails_is_named(camvid_model: Path, tmp_path: Path) -> None:
    predictor = Predictor(camvid_model, rule=Rule(short_sides=(40,)), device="cpu", compute=Compute(images_per_batch=2))
    with pytest.raises(ValueError, match=r"^images\[1\]: an image must have the shape"):
        predictor.batch([picture(), picture()[None]])
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "black.png")

    def break_black(module: torch.nn.Module, inputs: tuple[torch.Tensor], maps: list[torch.Tensor]) -> object:
        black = inputs[0].flatten(1).std(1) < 1
        return [torch.where(black[:, None, None, None], torch.inf, each) for each in maps]

    predictor.model.encoder.register_forward_hook(break_black)
    with pytest.raises(UserError, match=r"black\.png: the logits at short side 40 are not finite"):
        predictor.batch([picture(), picture(48, 64), tmp_path / "black.png"])


def test_threads_share_one_predictor(predictor: Predictor) -> None:
    images = [picture(40, 60, seed) for seed in range(12)]
    alone = [predictor(image).probabilities for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: predictor(image).probabilities, images))
    for expected, found in zip(alone, together, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_run_directory_is_used_at_its_own_scale(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("evaluate: {short_sides: [72], flip: true}\n")
    assert usual_rule(tmp_path) == Rule(short_sides=(72,), flip=True)
    assert usual_rule(tmp_path / "model") == Rule()


def test_only_a_model_whose_output_is_not_finite_is_called_broken(camvid_model: Path) -> None:
    def fail(module: torch.nn.Module, inputs: object) -> None:
        raise ValueError("of the model's own")

    predictor = Predictor(camvid_model, rule=RULE, device="cpu")
    handle = predictor.model.register_forward_pre_hook(fail)
    with pytest.raises(ValueError, match="^of the model's own$"):
        predictor(picture())
    handle.remove()
    with torch.no_grad():
        predictor.model.decoder.classify.bias[0] = torch.nan
    with pytest.raises(UserError, match="short side 40 are not finite; the model is broken, or precision fp32"):
        predictor(picture())
