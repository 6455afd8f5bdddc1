"""Losses are sums over labelled pixels."""

import pytest
import torch
from torch.nn import functional as F

from switchseg.labels import IGNORED
from switchseg.losses.functions import LOSSES, count_labelled, cross_entropy, resize_to


def pixels(labelled: float = 0.7, size: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, size, size, dtype=torch.float64, generator=generator)
    labels = torch.randint(4, (2, size, size), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) > labelled] = IGNORED
    return logits, labels


def test_cross_entropy_is_the_sum_over_labelled_pixels():
    logits, labels = pixels()
    log_probabilities = logits.log_softmax(1)
    expected = sum(-log_probabilities[n, labels[n, y, x], y, x] for n, y, x in (labels != IGNORED).nonzero().tolist())
    torch.testing.assert_close(cross_entropy(logits, labels), expected)


@pytest.mark.parametrize("name", LOSSES)
def test_without_labelled_pixels_loss_and_gradient_are_zero(name):
    logits, labels = pixels(labelled=0)
    logits.requires_grad_()
    loss = LOSSES[name](logits, labels)
    loss.backward()
    assert loss == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("name", LOSSES)
def test_two_halves_add_up_to_the_whole(name):
    logits, labels = pixels()
    whole = LOSSES[name](logits, labels)
    halves = sum(LOSSES[name](logits[i : i + 1], labels[i : i + 1]) for i in range(2))
    torch.testing.assert_close(halves, whole)


def test_half_precision_logits_are_summed_in_float32():
    logits, labels = pixels()
    assert cross_entropy(logits.bfloat16(), labels).dtype == torch.float32


def test_logits_of_another_stride_are_resized_bilinearly():
    logits, labels = pixels(size=6)
    small = F.avg_pool2d(logits, 2)
    expected = F.interpolate(small, size=(6, 6), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize_to(small, labels), expected)
    assert resize_to(logits, labels) is logits


def test_labelled_pixels_are_counted():
    _, labels = pixels()
    assert count_labelled(labels) == (labels != IGNORED).sum()
