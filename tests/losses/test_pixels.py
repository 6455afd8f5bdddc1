"""Cross entropy, focal loss and OHEM against torch, torchvision and the plain formula."""

import math

import pytest
import torch
import torchvision
from torch.nn import functional as F

from switchseg.labels import IGNORED
from switchseg.losses.pixels import OHEM, CrossEntropy, Focal
from tests.losses.batches import WEIGHTS, pixels


def mean_of(loss, logits, labels):
    total, weight = loss(logits, labels)
    return total / weight


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_that_of_torch(weights, smoothing):
    logits, labels = pixels()
    expected = F.cross_entropy(logits, labels, weights, ignore_index=IGNORED, label_smoothing=smoothing)
    torch.testing.assert_close(mean_of(CrossEntropy(weights, smoothing), logits, labels), expected)


@pytest.mark.parametrize(("gamma", "alpha"), [(0.0, -1), (2.0, -1), (0.5, -1), (2.0, 0.25)])
def test_focal_loss_of_two_classes_is_that_of_torchvision(gamma, alpha):
    logits, labels = pixels(classes=2)
    labelled = labels != IGNORED
    margin = (logits[:, 1] - logits[:, 0])[labelled]  # whose sigmoid is the softmax of the second class
    expected = torchvision.ops.sigmoid_focal_loss(margin, labels[labelled].double(), alpha, gamma, "sum")
    weights = None if alpha < 0 else torch.tensor([1 - alpha, alpha], dtype=torch.float64)
    torch.testing.assert_close(Focal(gamma, weights)(logits, labels)[0], expected)


def test_focal_loss_of_several_classes_is_its_formula():
    logits, labels = pixels()
    probability = logits.softmax(1).gather(1, labels.where(labels != IGNORED, 0)[:, None])[:, 0]
    weights = torch.cat([WEIGHTS, torch.zeros(252, dtype=torch.float64)])[labels]
    expected = (weights * (1 - probability) ** 1.5 * -probability.log()).sum() / weights.sum()
    torch.testing.assert_close(mean_of(Focal(1.5, WEIGHTS), logits, labels), expected)


def hard_mean(logits, labels, threshold, least, weights):
    """The mean cross entropy of one image's hard pixels, as a selection of a list."""
    labelled = labels != IGNORED
    scores, truth = logits[:, labelled].T, labels[labelled]
    loss = F.cross_entropy(scores, truth, reduction="none")
    count = max(int((loss > -math.log(threshold)).sum()), math.ceil(least * len(loss)))
    worst = loss.topk(count).indices
    return F.cross_entropy(scores[worst], truth[worst], weights)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(("threshold", "least"), [(0.7, 0.0625), (1e-3, 0.5), (1.0, 0.0)])
def test_ohem_is_the_mean_over_the_hard_pixels_of_each_image(threshold, least, weights):
    logits, labels = pixels()
    total, images = OHEM(threshold, least, CrossEntropy(weights))(logits, labels)
    expected = [hard_mean(logits[i], labels[i], threshold, least, weights) for i in range(2)]
    assert images == 2
    torch.testing.assert_close(total, torch.stack(expected).sum())


def test_ohem_takes_as_many_pixels_as_it_should_where_all_are_alike():
    logits, labels = torch.zeros(1, 2, 4, 4, requires_grad=True), torch.zeros(1, 4, 4, dtype=torch.int64)
    OHEM(threshold=0.1, least=0.25)(logits, labels)[0].backward()
    assert (logits.grad[0, 0] != 0).sum() == 4
