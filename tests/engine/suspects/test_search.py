"""Planted label errors must come first: on generated scenes, with a model that is right, blurred, noisy, and unsure."""

import cv2
import numpy as np
import pytest

from switchseg.data.datasets import open_dataset
from switchseg.data.scenes.generate import make_scenes
from switchseg.engine.suspects.search import Part, search

IMAGES = 40
SMALLEST = 150  # pixels: what a person who mends labels would call a region


class Planted:
    """A data set some of whose regions were given another class."""

    def __init__(self, dataset, share, seed=0):
        self.dataset, self.name, self.classes, self.decoder = dataset, dataset.name, dataset.classes, dataset.decoder
        self._random = np.random.default_rng(seed)
        self.truth = [dataset.read(index).label for index in range(len(dataset))]
        every = [(index, mask) for index, label in enumerate(self.truth) for mask in pieces(label)]
        chosen = self._random.choice(len(every), round(share * len(every)), replace=False)
        self.regions, self.count = [every[place] for place in chosen], len(every)
        self.labels = [label.copy() for label in self.truth]
        for index, mask in self.regions:
            was = self.truth[index][mask][0]
            others = [value for value in np.unique(np.concatenate([t.ravel() for t in self.truth])) if value < 255]
            self.labels[index][mask] = self._random.choice([value for value in others if value != was])

    def __len__(self):
        return len(self.dataset)

    def read(self, index):
        return self.dataset.read(index)._replace(label=self.labels[index])


def pieces(label):
    for value in np.unique(label[label < 255]):
        count, parts, boxes, _ = cv2.connectedComponentsWithStats((label == value).astype(np.uint8))
        yield from (parts == part for part in range(1, count) if boxes[part][4] >= SMALLEST)


def noisy_oracle(planted, classes, seed=1):
    """Return tiles of a model that knows the truth but for edges, a patch here and there, and its own uncertainty."""
    numbers = {planted.dataset.read(index).name: index for index in range(len(planted))}
    sure = np.random.default_rng(seed).uniform(3.0, 6.0, classes)  # logits: some classes are harder than others

    def tiles(sample):
        truth = planted.truth[numbers[sample.name]]
        random = np.random.default_rng((seed, numbers[sample.name]))
        known = np.eye(classes, dtype=np.float32)[np.minimum(truth, classes - 1)] * sure.astype(np.float32)
        logits = cv2.GaussianBlur(known, (0, 0), 2.0)
        noise = random.normal(0, 1.0, (truth.shape[0] // 12 + 2, truth.shape[1] // 12 + 2, classes)).astype(np.float32)
        logits += cv2.resize(noise, truth.shape[::-1], interpolation=cv2.INTER_CUBIC)
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        yield np.s_[: truth.shape[0], : truth.shape[1]], odds / odds.sum(-1, keepdims=True)

    return tiles


def covers(suspect, index, mask):
    top, left, bottom, right = suspect.region.box
    inside = mask[top:bottom, left:right].sum()
    return suspect.index == index and inside >= 0.5 * suspect.region.pixels and inside >= 0.3 * mask.sum()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    list(make_scenes(root, IMAGES, 3, 1))
    return open_dataset("scenes", root, "train")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_planted_errors_come_first(scenes, seed):
    planted = Planted(scenes, share=0.05, seed=seed)
    classes = len(scenes.classes)
    suspects, _ = search([Part("train", planted, noisy_oracle(planted, classes, seed))], scenes.classes, quiet=True)
    first = suspects[: planted.count // 10]
    hits = sum(any(covers(suspect, index, mask) for suspect in first) for index, mask in planted.regions)
    assert len(planted.regions) >= 10
    assert hits >= 0.8 * len(planted.regions), f"{hits} of {len(planted.regions)} in the first {len(first)}"
