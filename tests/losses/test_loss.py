"""Resizing of logits, and what a loss of one's own needs."""

import torch
from torch.nn import functional as F

from switchseg.losses.loss import LossOfPixels, mean, resize_to
from tests.losses.batches import pixels


def test_logits_are_resized_bilinearly_if_they_must_be():
    logits, labels = pixels()
    small = F.avg_pool2d(logits, 2)
    expected = F.interpolate(small, size=(6, 6), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize_to(small, labels), expected)
    assert resize_to(logits, labels) is logits


def test_a_loss_of_pixels_says_what_one_pixel_loses_and_the_rest_is_there():
    class Wrong(LossOfPixels):
        def per_pixel(self, logits, labels):
            return (logits.argmax(1) != labels) * self.pixel_weights(labels)

    logits, labels = pixels()
    labelled = labels != 255
    total, weight = Wrong()(logits, labels)
    assert total == ((logits.argmax(1) != labels) & labelled).sum()
    assert weight == labelled.sum()


def test_a_mean_of_nothing_is_zero():
    assert torch.equal(mean(torch.tensor([6.0, 0.0]), torch.tensor([4, 0])), torch.tensor([1.5, 0.0]))
