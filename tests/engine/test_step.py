"""One optimizer step: what is summed, what it is divided by, and what a backward pass may not change."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from switchseg.engine.step import Stepper
from switchseg.errors import UserError
from switchseg.labels import IGNORED
from tests.engine.steps import WORLD, gradients, make_batch, make_training


def test_the_loss_is_the_mean_over_labelled_pixels_plus_the_weighted_auxiliary_loss():
    training, batch = make_training(), make_batch()
    reference = make_training()
    images = batch.normalized(reference.model.spec.preprocessing).double()
    logits, auxiliary = reference.model(images)
    expected = F.cross_entropy(logits, batch.labels, ignore_index=IGNORED) + 0.4 * F.cross_entropy(
        auxiliary, batch.labels, ignore_index=IGNORED
    )
    expected.backward()
    Stepper(training)([batch])
    assert training.meter.read(WORLD).loss == pytest.approx(expected.item(), rel=1e-12)
    for name, gradient in gradients(training).items():
        torch.testing.assert_close(gradient, dict(reference.model.named_parameters())[name].grad, rtol=1e-9, atol=1e-14)


def test_accumulated_batches_are_weighted_by_their_labelled_pixels():
    # GN treats images one by one, so two batches of one image must do what one batch of two does.
    whole, parts = make_training("gn", accumulate=1), make_training("gn", accumulate=2)
    batch = make_batch(labelled=0.5)
    halves = [
        dataclasses.replace(batch, images=batch.images[i:j], labels=batch.labels[i:j], sizes=batch.sizes[i:j])
        for i, j in ((0, 1), (1, 2))
    ]
    Stepper(whole)([batch])
    Stepper(parts)(halves)
    for a, b in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-14)


def test_average_over_devices_is_the_mean_of_means_of_2018():
    training = make_training("gn", average="devices", accumulate=2)
    batches = [make_batch(0, labelled=0.9), make_batch(1, labelled=0.2)]
    reference = make_training("gn")
    means = []
    for batch in batches:
        logits, auxiliary = reference.model(batch.normalized(reference.model.spec.preprocessing).double())
        means.append(
            F.cross_entropy(logits, batch.labels, ignore_index=IGNORED)
            + 0.4 * F.cross_entropy(auxiliary, batch.labels, ignore_index=IGNORED)
        )
    Stepper(training)(batches)
    assert training.meter.read(WORLD).loss == pytest.approx(sum(means).item() / 2, rel=1e-12)


@pytest.mark.parametrize("average", ["pixels", "devices"])
def test_a_step_without_labelled_pixels_has_loss_zero_and_no_nan(average):
    # 2018: NLLLoss divided zero by zero.
    training = make_training(average=average)
    Stepper(training)([make_batch(labelled=0.0)])
    assert training.meter.read(WORLD).loss == 0
    assert all(torch.isfinite(parameter).all() for parameter in training.model.parameters())


@pytest.mark.parametrize("norm", ["sn", "bn"])
def test_recomputed_activations_change_neither_gradients_nor_running_statistics(norm):
    plain, recomputed = make_training(norm), make_training(norm, activation_checkpointing=True)
    for training in (plain, recomputed):
        Stepper(training)([make_batch()])
    for key, value in plain.model.state_dict().items():
        torch.testing.assert_close(recomputed.model.state_dict()[key], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{"precision": "bf16"}, {"precision": "fp16"}, {"precision": "fp32", "channels_last": True}]
)
def test_other_precisions_and_layouts_train_alike(options):
    reference, training = make_training(), make_training(**options)
    for each in (reference, training):
        Stepper(each)([make_batch()])
    assert training.meter.read(WORLD).loss == pytest.approx(reference.meter.read(WORLD).loss, rel=2e-2)


def test_frozen_norms_keep_parameters_and_statistics_while_dropout_stays_on():
    training = make_training("bn", decoder="ppm_deepsup", freeze_norms=True)
    before = {k: v.clone() for k, v in training.model.state_dict().items()}
    Stepper(training)([make_batch()])
    after = training.model.state_dict()
    norms = [n for n, m in training.model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    for name in norms:
        for leaf in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            assert torch.equal(after[f"{name}.{leaf}"], before[f"{name}.{leaf}"])
    assert any(m.training for m in training.model.modules() if isinstance(m, torch.nn.Dropout2d))
    assert not torch.equal(after["decoder.classify.weight"], before["decoder.classify.weight"])


def test_the_gradient_is_clipped():
    training = make_training(clip_norm=1e-3)
    Stepper(training)([make_batch()])
    norm = torch.stack([gradient.norm() for gradient in gradients(training).values()]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_the_moving_average_follows_weights_and_statistics():
    training = make_training("bn", ema_decay=0.75)
    start = {k: v.clone() for k, v in training.model.state_dict().items()}
    Stepper(training)([make_batch()])
    first = training.best_model.state_dict()
    now = training.model.state_dict()
    # The first update copies; torch averages from the second on.
    assert all(torch.equal(first[key], now[key]) for key in now)
    second_start = {k: v.clone() for k, v in now.items()}
    Stepper(training)([make_batch(1)])
    now, average = training.model.state_dict(), training.best_model.state_dict()
    for key in ("encoder.body.bn1.weight", "encoder.body.bn1.running_mean", "encoder.body.conv1.weight"):
        torch.testing.assert_close(average[key], 0.75 * second_start[key] + 0.25 * now[key])
        assert not torch.equal(start[key], now[key])


def test_a_loss_that_is_not_finite_names_step_images_and_layer_and_updates_nothing():
    training = make_training()
    Stepper(training)([make_batch()])
    with torch.no_grad():
        training.model.encoder.body.layer2[0].conv1.weight[0, 0, 0, 0] = float("inf")
    before = {k: v.clone() for k, v in training.model.named_parameters()}
    with pytest.raises(UserError, match=r"step 1: the loss is nan .*image_0, image_1.*layer2\.0\.conv1\.weight"):
        Stepper(training)([make_batch()])
    assert all(torch.equal(v, before[k]) for k, v in training.model.named_parameters())
    assert training.step == 1


def test_an_activation_that_overflows_is_traced_to_its_layer():
    training = make_training("gn", precision="fp32")
    with torch.no_grad():
        training.model.encoder.body.layer3[1].bn2.weight.fill_(3e38)
    with pytest.raises(UserError, match=r"first output that is not finite is that of encoder\.body\.layer3\.1\.bn2"):
        Stepper(training)([make_batch()])
