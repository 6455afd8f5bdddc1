import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from switchseg.checkpoints.model_directory import save_model
from switchseg.config.inference import Compute, Rule
from switchseg.data.label_files import read_label
from switchseg.engine.inputs import find_inputs
from switchseg.engine.predict import predict
from switchseg.engine.predictor import Predictor
from switchseg.models.create import create_model
from switchseg.preprocessing import Preprocessing


def stored(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


@pytest.fixture(scope="module")
def predictor(camvid_model: Path) -> Predictor:
    return Predictor(camvid_model, rule=Rule(short_sides=(40,)), device="cpu")


def write(path: Path, seed: int = 0, size: tuple[int, int] = (40, 60)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "mp4"])
def test_a_pipe_or_a_loop_is_named_and_the_others_are_labelled(
    predictor: Predictor, tmp_path: Path, suffix: str
) -> None:
    write(tmp_path / "in/z.png")
    os.mkfifo(tmp_path / f"in/pipe.{suffix}")
    (tmp_path / f"in/loop.{suffix}").symlink_to(f"loop.{suffix}")
    for _ in range(2):  # the second time with results there, from which the inputs are told
        inputs = find_inputs([tmp_path / "in"], tmp_path / "out")
        failures = predict(predictor, inputs, tmp_path / "out", quiet=True)
    assert sorted(Path(path).stem for path in failures) == ["loop", "pipe"]
    assert all(path in line and "\n" not in line for path, line in failures.items())
    assert (tmp_path / "out/z_labels.png").is_file()


def test_a_result_that_cannot_be_called_so_is_named_and_the_others_are_labelled(
    predictor: Predictor, tmp_path: Path
) -> None:
    write(tmp_path / "in/z.png")
    long = write(tmp_path / f"in/{'n' * 250}.png")
    blocked = write(tmp_path / "in/blocked.png")
    (tmp_path / "out/blocked_labels.png").mkdir(parents=True)
    failures = predict(predictor, find_inputs([tmp_path / "in"]), tmp_path / "out", quiet=True)
    assert failures.keys() == {str(long), str(blocked)}
    assert "File name too long" in failures[str(long)]
    assert "Is a directory" in failures[str(blocked)]
    assert [path.name for path in sorted((tmp_path / "out").glob("*_*"))] == [
        *("blocked_labels.png", "z_labels.png", "z_overlay.png", "z_shares.json")
    ]


def test_files_of_one_image(predictor: Predictor, tmp_path: Path) -> None:
    image = write(tmp_path / "in" / "deep" / "photo.png")
    out = tmp_path / "out"
    assert predict(predictor, find_inputs([tmp_path / "in"]), out, submission=True, quiet=True) == {}
    prediction = predictor(image)
    labels = stored(out / "deep" / "photo_labels.png")
    np.testing.assert_array_equal(np.asarray(labels), prediction.labels)
    assert labels.getpalette()[:3] == list(prediction.classes.palette[0])
    np.testing.assert_array_equal(np.asarray(stored(out / "deep" / "photo_overlay.png")), prediction.overlay())
    submitted = stored(out / "submission" / "deep" / "photo.png")
    assert submitted.mode == "L"
    np.testing.assert_array_equal(np.asarray(submitted), prediction.labels + 1)
    shares = json.loads((out / "deep" / "photo_shares.json").read_text())
    assert shares == {name: pytest.approx(share, abs=1e-6) for name, share in prediction.shares.items()}
    assert stored(out / "legend.png").height > 11 * 16


def test_a_bad_file_is_reported_and_the_rest_goes_on(predictor: Predictor, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no image")
    write(tmp_path / "c.png")
    failures = predict(predictor, find_inputs([tmp_path]), tmp_path / "out", quiet=True)
    assert list(failures) == [str(tmp_path / "b.jpg")]
    assert str(tmp_path / "b.jpg") in failures[str(tmp_path / "b.jpg")]
    assert (tmp_path / "out" / "c_labels.png").is_file()
    assert not (tmp_path / "out" / "b_labels.png").exists()


@pytest.fixture(scope="module")
def overflowing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose features are beyond float32 for whatever is not black."""
    torch.manual_seed(0)
    raw = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    model = create_model("test_resnet", "c1", "bn", num_classes=2, preprocessing=raw)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.mul_(1e30)
    path = tmp_path_factory.mktemp("overflowing")
    save_model(model, path)
    return path


@pytest.mark.parametrize("rule", [Rule(short_sides=(40,)), Rule(short_sides=(40, 32), flip=True, window=32)])
def test_an_image_that_the_network_fails_on_is_named_and_those_beside_it_are_labelled(
    overflowing: Path, tmp_path: Path, rule: Rule
) -> None:
    for name in ("a", "c"):
        Image.new("RGB", (60, 40)).save(tmp_path / f"{name}.png")
    write(tmp_path / "b.png")
    out = tmp_path / "out"
    inputs = find_inputs([tmp_path / f"{name}.png" for name in "abc"])
    for size in (3, 1):
        predictor = Predictor(overflowing, rule=rule, device="cpu", compute=Compute(images_per_batch=size))
        failures = predict(predictor, inputs, out, quiet=True, resume=False)
        path = str(tmp_path / "b.png")
        reason = "the logits at short side 40 are not finite; the model is broken, or precision fp32 is needed"
        assert failures == {path: f"{path}: {reason}"}
        assert sorted(each.name for each in out.glob("*_labels.png")) == ["a_labels.png", "c_labels.png"]


@pytest.mark.parametrize("classes", [255, 256, 300])
def test_labels_and_submission_of_many_classes_read_back_as_they_were(tmp_path: Path, classes: int) -> None:
    model = create_model("test_resnet", "c1", "bn", num_classes=classes)
    with torch.no_grad():
        model.decoder.classify.bias[classes - 1] = 1e6
    save_model(model, tmp_path / "model")
    predictor = Predictor(tmp_path / "model", rule=Rule(short_sides=(32,)), device="cpu")
    inputs = find_inputs([write(tmp_path / "a.png", size=(8, 8))])
    assert predict(predictor, inputs, tmp_path / "out", submission=True, quiet=True) == {}
    last = np.full((8, 8), classes - 1)
    np.testing.assert_array_equal(read_label(tmp_path / "out" / "a_labels.png"), last)
    np.testing.assert_array_equal(read_label(tmp_path / "out" / "submission" / "a.png"), last + 1)


def test_what_is_finished_is_not_done_again(predictor: Predictor, camvid_model: Path, tmp_path: Path) -> None:
    inputs = find_inputs([write(tmp_path / "a.png"), write(tmp_path / "b.png")])
    out = tmp_path / "out"
    predict(predictor, inputs[:1], out, quiet=True)
    made = (out / "a_labels.png").stat().st_mtime_ns
    predict(predictor, inputs, out, quiet=True)
    assert (out / "a_labels.png").stat().st_mtime_ns == made
    assert (out / "b_labels.png").is_file()
    other = Predictor(camvid_model, rule=Rule(short_sides=(48,)), device="cpu")
    predict(other, inputs, out, quiet=True)  # another rule: the old labels no longer hold
    assert (out / "a_labels.png").stat().st_mtime_ns != made


def test_batches_label_as_single_images_do(predictor: Predictor, camvid_model: Path, tmp_path: Path) -> None:
    for seed, name in enumerate("abcde"):
        write(tmp_path / "in" / f"{name}.png", seed, size=(40, 60) if name != "c" else (50, 40))
    (tmp_path / "in" / "bb.jpg").write_bytes(b"no image")
    three = Predictor(camvid_model, rule=predictor.rule, device="cpu", compute=Compute(images_per_batch=3))
    failures = predict(three, find_inputs([tmp_path / "in"]), tmp_path / "out", quiet=True)
    assert list(failures) == [str(tmp_path / "in" / "bb.jpg")]
    for name in "abcde":
        labels = np.asarray(stored(tmp_path / "out" / f"{name}_labels.png"))
        assert (labels == predictor(tmp_path / "in" / f"{name}.png").labels).mean() > 0.999


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGBA", "I;16", "LA"])
def test_image_modes(predictor: Predictor, tmp_path: Path, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / "image.tif")
    assert predict(predictor, find_inputs([tmp_path / "image.tif"]), tmp_path / "out", quiet=True) == {}
    assert stored(tmp_path / "out" / "image_labels.png").size == (60, 40)


def test_a_single_pixel(predictor: Predictor, tmp_path: Path) -> None:
    inputs = find_inputs([write(tmp_path / "dot.png", size=(1, 1))])
    assert predict(predictor, inputs, tmp_path / "out", quiet=True) == {}
    assert stored(tmp_path / "out" / "dot_labels.png").size == (1, 1)
