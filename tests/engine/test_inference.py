import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from switchseg.config.inference import Compute, Rule
from switchseg.engine.inference import evaluating, logit_maps
from switchseg.engine.network import prepare
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter


@pytest.fixture(scope="module")
def model() -> Segmenter:
    torch.manual_seed(0)
    return create_model("resnet18_dilated8", "c1", "sn", num_classes=5).eval()


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_maps_are_the_models_logits_at_every_scale(model: Segmenter) -> None:
    image = picture(40, 56)
    maps = logit_maps(model, [image], Rule(short_sides=(40, 64)))[0]
    inputs = model.spec.preprocessing.normalize(torch.from_numpy(image).permute(2, 0, 1)[None])
    with torch.inference_mode():
        torch.testing.assert_close(maps[0], model(inputs)[0].permute(1, 2, 0), atol=1e-5, rtol=0)
    assert [tuple(m.shape) for m in maps] == [(5, 7, 5), (8, 12, 5)]


def test_a_batch_equals_its_images_one_by_one(model: Segmenter) -> None:
    images = [picture(48, 64, seed) for seed in range(3)]
    together = logit_maps(model, images, Rule(short_sides=(48,)))
    for image, maps in zip(images, together, strict=True):
        alone = logit_maps(model, [image], Rule(short_sides=(48,)))[0]
        torch.testing.assert_close(maps[0], alone[0], atol=1e-5, rtol=0)


def test_flipping_adds_the_mirror_image_of_the_mirrored_image(model: Segmenter) -> None:
    image = picture(48, 64)
    plain, mirrored = logit_maps(model, [image], Rule(short_sides=(48,), flip=True))[0]
    swapped = logit_maps(model, [image[:, ::-1]], Rule(short_sides=(48,)))[0][0]
    torch.testing.assert_close(mirrored, swapped.flip(1), atol=1e-5, rtol=0)
    assert not torch.allclose(plain, mirrored)


def test_one_window_that_covers_all_is_the_whole_image(model: Segmenter) -> None:
    whole = logit_maps(model, [picture(48, 64)], Rule(short_sides=(48,)))[0][0]
    for window in (64, 65, 1000):
        assert torch.equal(logit_maps(model, [picture(48, 64)], Rule(short_sides=(48,), window=window))[0][0], whole)


@pytest.mark.parametrize("encoder", ["resnet18_dilated8", "resnet18"])  # logits at 1/8 and at 1/32
@pytest.mark.parametrize(("window", "stride"), [(32, None), (40, 40), (33, 10)])
def test_windows_average_their_logits_where_they_overlap(encoder: str, window: int, stride: int | None) -> None:
    torch.manual_seed(0)
    net = create_model(encoder, "c1", "bn", num_classes=3).eval()
    rule = Rule(short_sides=(72,), window=window, stride=stride)
    result = logit_maps(net, [picture(72, 104)], rule)[0][0]
    grid = net.stride
    size, step = -(-window // grid) * grid, -(-(stride or 2 * window // 3) // grid) * grid
    inputs = net.spec.preprocessing.normalize(torch.from_numpy(picture(72, 104)).permute(2, 0, 1)[None])
    total, count = torch.zeros_like(result), torch.zeros(result.shape[:2])
    tops, lefts = ([*range(0, length - size, step), -(-(length - size) // grid) * grid] for length in (72, 104))
    for top, left in itertools.product(tops, lefts):
        with torch.inference_mode():
            part = net(inputs[..., top : top + size, left : left + size])[0].permute(1, 2, 0)
        rows, columns = slice(top // grid, top // grid + len(part)), slice(left // grid, left // grid + part.shape[1])
        total[rows, columns] += part
        count[rows, columns] += 1
    assert count.min() >= 1
    torch.testing.assert_close(result, total / count[..., None], atol=1e-5, rtol=0)


def test_statistics_of_the_whole_image_are_those_of_each_image_of_a_batch(model: Segmenter) -> None:
    images = [picture(64, 96, seed) // (seed + 1) for seed in range(2)]
    rule = Rule(short_sides=(64,), window=64, stride=32, whole_image_statistics=True)
    together = logit_maps(model, images, rule)
    for image, maps in zip(images, together, strict=True):
        torch.testing.assert_close(maps[0], logit_maps(model, [image], rule)[0][0], atol=1e-5, rtol=0)
    own, whole = (
        logit_maps(model, images[:1], rule)[0][0] for rule in (replace(rule, whole_image_statistics=False), rule)
    )
    untiled = logit_maps(model, images[:1], Rule(short_sides=(64,)))[0][0]
    assert (whole - untiled).abs().mean() < 0.5 * (own - untiled).abs().mean()


def test_autocast_stays_near_and_returns_float32(model: Segmenter) -> None:
    rule = Rule(short_sides=(48,))
    exact = logit_maps(model, [picture(48, 64)], rule)[0][0]
    rough = logit_maps(model, [picture(48, 64)], rule, Compute(precision="bf16"))[0][0]
    assert rough.dtype == torch.float32
    assert 0 < float((rough - exact).abs().max()) < 0.1 * float(exact.abs().max())


def test_channels_last_changes_nothing_but_rounding(model: Segmenter) -> None:
    rule = Rule(short_sides=(48,))
    exact = logit_maps(model, [picture(48, 64)], rule)[0][0]
    compute = Compute(channels_last=True)
    prepared = prepare(copy.deepcopy(model), compute, torch.device("cpu"))
    weight = next(parameter for parameter in prepared.parameters() if parameter.ndim == 4)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(logit_maps(prepared, [picture(48, 64)], rule, compute)[0][0], exact, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_compilation_changes_nothing_but_rounding(model: Segmenter) -> None:
    compute = Compute(compile=True)
    compiled = prepare(copy.deepcopy(model), compute, torch.device("cpu"))
    for size in ((48, 64), (64, 48), (40, 40)):
        rule = Rule(short_sides=(min(size), 56))
        exact, fast = (logit_maps(net, [picture(*size)], rule)[0] for net in (model, compiled))
        for ours, theirs in zip(fast, exact, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_logits_that_are_not_finite_are_an_error(model: Segmenter) -> None:
    broken = create_model("resnet18", "c1", "bn", num_classes=2).eval()
    torch.nn.init.constant_(broken.decoder.classify.bias, float("nan"))  # type: ignore[arg-type, union-attr]
    with pytest.raises(ValueError, match="short side 32 are not finite"):
        logit_maps(broken, [picture(32, 32)], Rule(short_sides=(32,)))


def test_evaluating_restores_the_mode_of_every_layer() -> None:
    net = create_model("resnet18", "c1", "bn", num_classes=2).train()
    frozen = net.encoder
    frozen.eval()
    with evaluating(net):
        assert not any(module.training for module in net.modules())
    assert net.training
    assert not any(module.training for module in frozen.modules())
