"""Dice and Lovász against segmentation_models_pytorch, image by image."""

import pytest
import segmentation_models_pytorch as smp
import torch

from switchseg.labels import IGNORED
from switchseg.losses.regions import Dice, Lovasz
from tests.losses.batches import pixels

PRESENT = [1, 2, 3], [0, 2, 3]
"""Classes in the first two of the images."""


@pytest.mark.parametrize("smoothing", [0.0, 3.0])
def test_dice_is_the_mean_over_the_classes_in_each_image(smoothing):
    logits, labels = pixels()
    assert [label.unique().tolist() for label in labels[:2]] == [[*classes, IGNORED] for classes in PRESENT]
    expected = [
        smp.losses.DiceLoss("multiclass", classes=classes, smooth=smoothing / 2, ignore_index=IGNORED, eps=0.0)(
            logits[i : i + 1], labels[i : i + 1]
        )
        for i, classes in enumerate(PRESENT)
    ]
    total, images = Dice(smoothing)(logits, labels)
    assert images == 2
    torch.testing.assert_close(total, torch.stack(expected).sum())


def test_lovasz_is_that_of_each_image():
    logits, labels = pixels()
    logits = logits.float()
    reference = smp.losses.LovaszLoss("multiclass", per_image=True, ignore_index=IGNORED)
    expected = [reference(logits[i : i + 1], labels[i : i + 1]) for i in range(2)]
    total, images = Lovasz()(logits, labels)
    assert images == 2
    torch.testing.assert_close(total, torch.stack(expected).sum())


def test_lovasz_of_certain_predictions_is_the_jaccard_loss():
    _, labels = pixels(images=2)
    prediction = labels.roll(1, 2).where(labels.roll(1, 2) != IGNORED, 0)
    logits = torch.zeros(2, 4, 6, 6, dtype=torch.float64).scatter(1, prediction[:, None], 1000.0)
    truth, found = labels[0], prediction[0].where(labels[0] != IGNORED, IGNORED)
    ious = [
        ((truth == c) & (found == c)).sum() / ((truth == c) | (found == c)).sum() for c in truth.unique() if c < IGNORED
    ]
    assert float(Lovasz()(logits, labels)[0]) == pytest.approx(1 - float(sum(ious) / len(ious)))
