"""Sums of several losses."""

import torch

from switchseg.losses import LOSSES
from switchseg.losses.config import LossConfig
from switchseg.losses.criterion import Criterion, inverse
from tests.losses.batches import WEIGHTS, pixels

CONFIG = LossConfig(terms=("focal", "dice"), weights=(2, 0.5), auxiliary_weight=0.3)


def test_each_term_has_its_factor_and_its_weight():
    logits, labels = pixels()
    criterion = Criterion.configured(CONFIG, WEIGHTS.tolist(), "cpu")
    focal = LOSSES["focal"].configured(CONFIG, WEIGHTS)(logits, labels)
    dice = LOSSES["dice"].configured(CONFIG, None)(logits, labels)
    torch.testing.assert_close(criterion.sums(logits, None, labels), torch.stack([2 * focal[0], 0.5 * dice[0]]))
    torch.testing.assert_close(criterion.weights(labels), torch.stack([focal[1], dice[1].double()]))


def test_the_logits_of_an_auxiliary_head_count_with_its_weight():
    logits, labels = pixels()
    auxiliary = torch.nn.functional.avg_pool2d(logits.flip(0), 2)
    criterion = Criterion.configured(CONFIG, None, "cpu")
    expected = criterion.sums(logits, None, labels) + 0.3 * criterion.sums(auxiliary, None, labels)
    torch.testing.assert_close(criterion.sums(logits, auxiliary, labels), expected)


def test_what_weighs_nothing_is_divided_by_nothing():
    assert torch.equal(inverse(torch.tensor([4.0, 0.0])), torch.tensor([0.25, 0.0]))
