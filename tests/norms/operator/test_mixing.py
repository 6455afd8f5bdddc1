"""Moments of maps into mixed ones and back, against autograd through the merges of the formula."""

import pytest
import torch

from switchseg.norms.operator.call import Inputs, Kept, Options
from switchseg.norms.operator.mixing import merge_images, mix, mix_backward, shares_of
from switchseg.norms.statistics import MERGES
from tests.norms.cases import SUBSETS

IMAGES, CHANNELS = 3, 4


def prepared(statistics):
    """Return the inputs, options and kept numbers of maps with random moments."""
    generator = torch.Generator().manual_seed(4)
    kept = Kept(torch.zeros(Kept.size(IMAGES, CHANNELS), dtype=torch.float64), IMAGES, CHANNELS)
    kept.moments.copy_(torch.rand(2, IMAGES, CHANNELS, dtype=torch.float64, generator=generator))
    logits = torch.randn(2, len(statistics), dtype=torch.float64, generator=generator)
    inputs = Inputs(torch.zeros(IMAGES, CHANNELS, 5, dtype=torch.float64), None, logits[0], logits[1], None, None)
    return inputs, Options(statistics, 1e-5, None, relu=False, training=True), kept


def by_formula(moments, mean_mix, var_mix, statistics):
    shares = shares_of(mean_mix, var_mix)
    parts = [MERGES[name](moments[0], moments[1], 0) for name in statistics]
    means, variances = zip(*parts, strict=True)
    rows = [
        sum(share * part for share, part in zip(column, side, strict=True)).expand(IMAGES, CHANNELS)
        for column, side in ((shares[:, 0], means), (shares[:, 1], variances))
    ]
    return torch.stack(rows)


@pytest.mark.parametrize("statistics", SUBSETS)
def test_mixing_and_its_gradient_follow_the_formula(statistics):
    inputs, options, kept = prepared(statistics)
    leaves = [each.clone().requires_grad_() for each in (kept.moments, inputs.mean_mix, inputs.var_mix)]
    expected = by_formula(*leaves, statistics)
    found = mix(inputs, options, kept)
    torch.testing.assert_close(found, expected.detach())
    grad = torch.rand_like(found)
    expected.backward(grad)
    grad_moments, (grad_mean, grad_var) = mix_backward(grad, kept, options, IMAGES * 5)
    for value, leaf in zip((grad_moments, grad_mean, grad_var), leaves, strict=True):
        torch.testing.assert_close(value, leaf.grad)


def test_gradients_of_logits_keep_their_digits_at_a_large_mean():
    """Of the same moments in both types, so that what is stored of them makes no difference."""
    inputs, options, _ = prepared(("in", "ln", "bn"))
    kept = Kept(torch.zeros(Kept.size(IMAGES, CHANNELS)), IMAGES, CHANNELS)
    kept.moments.copy_(torch.rand(2, IMAGES, CHANNELS, generator=torch.Generator().manual_seed(5)))
    kept.moments[0] += 1000
    single = inputs._replace(mean_mix=inputs.mean_mix.float(), var_mix=inputs.var_mix.float())
    grad = torch.rand_like(mix(single, options, kept))
    numbers = [kept.moments, kept.mean, kept.rstd, kept.layer, kept.batch, kept.shares]
    wide = Kept(torch.cat([each.flatten() for each in numbers]).double(), IMAGES, CHANNELS)
    found, expected = (mix_backward(*each, options, IMAGES * 5)[1] for each in ((grad, kept), (grad.double(), wide)))
    for value, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-7)


def test_shares_of_both_moments_are_taken_as_they_are():
    shares = torch.rand(3, 2)
    assert shares_of(shares, None) is shares
    torch.testing.assert_close(shares_of(torch.zeros(4), torch.zeros(4)), torch.full((4, 2), 0.25))


def test_images_are_merged_without_cancelling():
    moments = torch.stack([torch.full((5, 2), 1e6), torch.full((5, 2), 1e-4)])
    torch.testing.assert_close(merge_images(moments)[1], torch.full((1, 2), 1e-4))
