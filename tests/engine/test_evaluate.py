import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from PIL import Image

from switchseg.checkpoints.model_directory import load_model
from switchseg.classes import Classes
from switchseg.config.inference import Compute, Rule
from switchseg.data.datasets import open_dataset
from switchseg.data.sample import Sample
from switchseg.distributed import World
from switchseg.engine import tally
from switchseg.engine.evaluate import evaluate
from switchseg.engine.evaluation import write_per_image
from switchseg.engine.fusion import fuse
from switchseg.engine.inference import logit_maps
from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter
from switchseg.preprocessing import Preprocessing

RULE = Rule(short_sides=(48, 64))


class Images:
    """A data set of given samples."""

    name = "toy"
    decoder = "pillow"

    def __init__(self, samples: Iterable[Sample], classes: int = 11) -> None:
        self.samples, self.classes = list(samples), Classes.unnamed(classes)

    def __len__(self) -> int:
        return len(self.samples)

    def sizes(self) -> np.ndarray:
        return np.array([sample.image.shape[:2] for sample in self.samples], np.int32)

    def read(self, index: int) -> Sample:
        return self.samples[index]


def toy(count: int = 5, ignored: bool = True) -> Images:
    generator = np.random.default_rng(0)
    samples = []
    for index in range(count):
        size = (40, 56) if index % 2 else (56, 40)
        label = generator.integers(0, 11, size).astype(np.uint8)
        if ignored:
            label[:5] = 255
        samples.append(Sample(generator.integers(0, 256, (*size, 3), np.uint8), label, f"image{index}"))
    return Images(samples)


@pytest.fixture
def model(camvid_model: Path) -> Segmenter:
    return load_model(camvid_model)


def test_equals_the_loop_of_2018(model: Segmenter) -> None:
    """One image at a time, NumPy histograms per image, sums over the data set."""
    intersection, union, correct, labelled = np.zeros(11), np.zeros(11), 0, 0
    for sample in toy().samples:
        assert sample.label is not None
        labels, _ = fuse(logit_maps(model, [sample.image], RULE)[0], sample.label.shape)
        prediction, truth = labels.astype(int) + 1, np.where(sample.label == 255, 0, sample.label.astype(int) + 1)
        prediction *= truth > 0
        both = prediction * (prediction == truth)
        own, *areas = (np.histogram(x, bins=11, range=(1, 11))[0] for x in (both, prediction, truth))
        intersection, union = intersection + own, union + areas[0] + areas[1] - own
        correct, labelled = correct + (both > 0).sum(), labelled + (truth > 0).sum()
    result = evaluate(model, toy(), RULE, quiet=True).scores
    assert result.mean_iou_all_classes == pytest.approx((intersection / (union + 1e-10)).mean(), abs=1e-12)
    assert result.pixel_accuracy == pytest.approx(correct / labelled, abs=1e-12)


def test_batches_score_like_single_images(model: Segmenter) -> None:
    one, many = (evaluate(model, toy(6), RULE, Compute(images_per_batch=size), quiet=True) for size in (1, 4))
    np.testing.assert_array_equal(one.matrix, many.matrix)


def test_the_model_is_left_in_its_mode(model: Segmenter) -> None:
    model.train()
    evaluate(model, toy(1), RULE, quiet=True)
    assert model.training


def test_labels_may_have_another_size_than_the_image(model: Segmenter) -> None:
    image = np.zeros((40, 56, 3), np.uint8)
    data = Images([Sample(image, np.zeros((20, 28), np.uint8), "half")])
    assert int(evaluate(model, data, RULE, quiet=True).matrix.sum()) == 20 * 28


def test_pictures_of_a_few_images(model: Segmenter, tmp_path: Path) -> None:
    data = toy()
    evaluate(model, data, RULE, save=tmp_path, pictures=2, quiet=True)
    kinds = ("confidence.png", "image.jpg", "labels.png", "truth.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"image{i}_{kind}" for i in (0, 4) for kind in kinds]
    truth = Image.open(tmp_path / "image4_truth.png")
    assert truth.mode == "P"
    np.testing.assert_array_equal(np.asarray(truth), data.samples[4].label)
    labels, confidence = fuse(logit_maps(model, [data.samples[4].image], RULE)[0], (56, 40))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "image4_labels.png")), labels)
    stored = np.asarray(Image.open(tmp_path / "image4_confidence.png"))
    assert np.abs(stored - 255 * confidence).max() <= 0.5 + 1e-3


def test_the_best_and_the_worst_image_are_saved_besides(model: Segmenter, tmp_path: Path) -> None:
    data = toy(6)
    whole = evaluate(model, data, RULE, save=tmp_path, pictures=1, extremes=1, quiet=True)
    order = sorted(whole.per_image, key=lambda each: each.mean_iou)
    saved = {path.name.removesuffix("_labels.png") for path in tmp_path.glob("*_labels.png")}
    assert saved == {"image0", order[0].name, order[-1].name}
    truth = data.samples[int(order[-1].name.removeprefix("image"))].label
    labels = np.asarray(Image.open(tmp_path / f"{order[-1].name}_labels.png"))
    assert (labels == truth)[truth != 255].mean() == pytest.approx(order[-1].pixel_accuracy)


def test_an_image_is_scored_as_if_it_were_alone(model: Segmenter, tmp_path: Path) -> None:
    data = toy(3)
    data.samples[1].label[:] = 255
    whole = evaluate(model, data, RULE, quiet=True)
    for sample, score in zip(data.samples, whole.per_image, strict=True):
        assert score.name == sample.name
        if sample.name == "image1":
            assert np.isnan([score.mean_iou, score.pixel_accuracy]).all()
            continue
        alone = evaluate(model, Images([sample]), RULE, quiet=True).scores
        assert (score.mean_iou, score.pixel_accuracy) == pytest.approx((alone.mean_iou, alone.pixel_accuracy))
    write_per_image(tmp_path / "images.csv", whole.per_image)
    rows = list(csv.DictReader((tmp_path / "images.csv").read_text().splitlines()))
    assert [row["image"] for row in rows] == ["image0", "image1", "image2"]
    assert float(rows[2]["mean_iou"]) == pytest.approx(whole.per_image[2].mean_iou, abs=1e-6)


def test_classes_in_another_order_are_matched_by_name(model: Segmenter) -> None:
    data = toy()
    same = evaluate(model, data, RULE, quiet=True)
    back = np.arange(11)[::-1]
    swapped = Images(
        [
            sample._replace(label=np.append(back, [0] * 244 + [255]).astype(np.uint8)[sample.label])
            for sample in data.samples
        ]
    )
    swapped.classes = Classes.named(model.spec.classes.names[::-1])
    other = evaluate(model, swapped, RULE, quiet=True)
    assert np.array_equal(other.matrix, same.matrix[np.ix_(back, back)])


def test_an_image_without_label_is_named(model: Segmenter) -> None:
    data = Images([Sample(np.zeros((32, 32, 3), np.uint8), None, "photo")])
    with pytest.raises(UserError, match="^photo: an image without a label"):
        evaluate(model, data, RULE, quiet=True)


@pytest.mark.parametrize(
    "samples", [[], [Sample(np.zeros((32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8), "a")]]
)
def test_nothing_labelled_is_an_error(model: Segmenter, samples: list[Sample]) -> None:
    with pytest.raises(UserError, match="has a labelled pixel"):
        evaluate(model, Images(samples), RULE, quiet=True)


def test_a_model_that_diverged_is_an_error_that_names_the_image(model: Segmenter) -> None:
    with torch.no_grad():
        next(model.parameters()).fill_(float("inf"))
    with pytest.raises(UserError, match="image0: the logits at short side 48 are not finite"):
        evaluate(model, toy(1), RULE, quiet=True)


def test_of_several_images_the_one_that_the_network_fails_on_is_named() -> None:
    raw = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    model = create_model("test_resnet", "c1", "bn", classes=toy(1).classes, preprocessing=raw).eval()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.mul_(1e30)  # beyond float32 for whatever is not black
    label = np.zeros((32, 32), np.uint8)
    values = {"black": 0, "white": 255, "dark": 0}
    data = Images([Sample(np.full((32, 32, 3), value, np.uint8), label, name) for name, value in values.items()])
    with pytest.raises(UserError, match="^white: the logits at short side 48 are not finite"):
        evaluate(model, data, RULE, Compute(images_per_batch=3), quiet=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (700, 3)])
def test_odd_sizes(model: Segmenter, size: tuple[int, int]) -> None:
    data = Images([Sample(np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8), "odd")])
    assert (
        evaluate(model, data, Rule(short_sides=(40,), max_long_side=200), quiet=True).matrix.sum() == size[0] * size[1]
    )


class Interrupted(Images):
    """A data set whose reading is stopped at one image, as by Ctrl-C."""

    def __init__(self, whole: Images, at: int) -> None:
        super().__init__(whole.samples)
        self.at: int | None = at
        self.reads: list[int] = []

    def read(self, index: int) -> Sample:
        if index == self.at:
            raise KeyboardInterrupt
        self.reads.append(index)
        return super().read(index)


@pytest.mark.parametrize("seconds", [0.0, 1000.0])
def test_a_stopped_evaluation_goes_on_where_it_was(
    model: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(tally, "SECONDS_BETWEEN_SAVES", seconds)
    partial, data = tmp_path / "partial", Interrupted(toy(6), at=4)
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, data, RULE, boundary=True, partial=partial, quiet=True)
    done = len(json.loads(partial.read_text())["per_image"])
    assert 0 < done <= 4
    data.at, data.reads = None, []
    resumed = evaluate(model, data, RULE, boundary=True, partial=partial, quiet=True)
    assert data.reads == list(range(done, 6))
    whole = evaluate(model, toy(6), RULE, boundary=True, quiet=True)
    np.testing.assert_array_equal(resumed.matrix, whole.matrix)
    np.testing.assert_array_equal(resumed.boundary, whole.boundary)
    assert resumed.per_image == whole.per_image
    assert not partial.exists()


def test_counts_of_another_rule_are_not_added(model: Segmenter, tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    with pytest.raises(KeyboardInterrupt):
        evaluate(model, Interrupted(toy(), at=3), RULE, partial=partial, quiet=True)
    other = Rule(short_sides=(40,))
    resumed, fresh = (evaluate(model, toy(), other, partial=path, quiet=True) for path in (partial, None))
    np.testing.assert_array_equal(resumed.matrix, fresh.matrix)


def test_boundaries_are_scored_where_asked_for(model: Segmenter) -> None:
    entry = evaluate(model, toy(), RULE, boundary=True, quiet=True).to_json()
    present = [c["boundary_iou"] for c in entry["per_class"] if c["boundary_iou"] is not None]
    assert entry["mean_boundary_iou"] == pytest.approx(np.mean(present))


def _rank(rank: int, size: int, model_path: Path, root: Path, out: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{out}/meet", rank=rank, world_size=size)
    world = World(rank=rank, size=size, device=torch.device("cpu"))
    result = evaluate(load_model(model_path), open_dataset("camvid", root, "val"), RULE, world=world, quiet=True)
    np.save(out / f"rank{rank}.npy", result.matrix)
    write_per_image(out / f"rank{rank}.csv", result.per_image)
    dist.destroy_process_group()


def test_two_ranks_equal_one_exactly(camvid_model: Path, tiny_camvid: Path, tmp_path: Path) -> None:
    alone = evaluate(load_model(camvid_model), open_dataset("camvid", tiny_camvid, "val"), RULE, quiet=True)
    mp.start_processes(_rank, (2, camvid_model, tiny_camvid, tmp_path), nprocs=2, start_method="spawn")
    for rank in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / f"rank{rank}.npy"), alone.matrix)
        write_per_image(tmp_path / "alone.csv", alone.per_image)
        assert (tmp_path / f"rank{rank}.csv").read_text() == (tmp_path / "alone.csv").read_text()
