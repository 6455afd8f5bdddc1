"""What holds of every loss in the registry, with and without settings."""

import pytest
import torch

from switchseg.labels import IGNORED
from switchseg.losses.loss import resize_to
from tests.losses.batches import CASES, make, pixels


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_the_sum(case):
    loss, (logits, labels) = make(case), pixels(side=3)
    assert torch.autograd.gradcheck(lambda values: loss(values, labels)[0], logits.requires_grad_())


@pytest.mark.parametrize("case", CASES)
def test_the_images_of_a_batch_add_up(case):
    loss, (logits, labels) = make(case), pixels()
    total, weight = loss(logits, labels)
    parts = [loss(logits[i : i + 1], labels[i : i + 1]) for i in range(len(logits))]
    torch.testing.assert_close(sum(part[0] for part in parts), total, rtol=1e-12, atol=0)
    torch.testing.assert_close(sum(part[1] for part in parts), weight, rtol=1e-12, atol=0)
    assert total > 0
    assert weight > 0


@pytest.mark.parametrize("case", CASES)
def test_pixels_without_a_label_play_no_part(case):
    loss, (logits, labels) = make(case), pixels()
    other = logits.where((labels != IGNORED)[:, None], -7.0)
    logits.requires_grad_()
    total = loss(logits, labels)[0]
    total.backward()
    assert torch.equal(loss(other, labels)[0], total)
    ignored = logits.grad.movedim(1, -1)[labels == IGNORED]
    assert torch.equal(ignored, torch.zeros_like(ignored))
    assert logits.grad.any()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("images", [0, 2])
def test_without_a_label_sum_weight_and_gradient_are_zero(case, images):
    loss, (logits, labels) = make(case), pixels(labelled=0, images=max(images, 1))
    logits, labels = logits[:images].requires_grad_(), labels[:images]
    total, weight = loss(logits, labels)
    total.backward()
    assert total == 0
    assert weight == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(case, dtype):
    loss, (logits, labels) = make(case), pixels()
    total, _ = loss(logits.to(dtype), labels)
    assert total.dtype == torch.float32
    assert torch.equal(total, loss(logits.to(dtype).float(), labels)[0])


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"cross_entropy with settings"}))  # smoothed: never met
def test_a_sure_and_right_model_loses_nothing_and_keeps_a_finite_gradient(case):
    loss, (_, labels) = make(case), pixels()
    logits = torch.zeros(3, 4, 6, 6).scatter(1, labels.where(labels != IGNORED, 0)[:, None], 200.0).requires_grad_()
    total, _ = loss(logits, labels)
    total.backward()
    assert total.item() == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("case", CASES)
def test_logits_of_another_stride_are_resized_to_the_labels(case):
    loss, (logits, labels) = make(case), pixels()
    small = torch.nn.functional.avg_pool2d(logits, 2)
    assert torch.equal(loss(small, labels)[0], loss(resize_to(small, labels), labels)[0])
