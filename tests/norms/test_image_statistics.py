import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from switchseg.norms import KINDS
from switchseg.norms.image_statistics import ImageStatistics
from switchseg.norms.rewrite import fuse_activations

OF_IMAGES = ("gn", "in", "ln", "sn", "sn_in_ln", "ssn", "syncsn", "syncssn")


def network(norm: str) -> nn.Module:
    """Pointwise, so that tiles differ from their image by nothing but statistics."""
    torch.manual_seed(0)
    factory = KINDS[norm].factory
    model = nn.Sequential(
        nn.Conv2d(3, 8, 1), factory(8), nn.ReLU(), nn.Conv2d(8, 12, 1), factory(12), nn.ReLU(), nn.Conv2d(12, 5, 1)
    )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and "radius" not in name:
            nn.init.uniform_(tensor, 0.5, 1.5)
    return model.eval()


def image() -> torch.Tensor:
    """Brighter to the right: no tile is like the whole."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, 3, 12, 16, generator=generator) + torch.arange(16) / 4


def in_two(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The left ten columns and the right ten, which overlap in four and meet in the middle."""
    statistics = ImageStatistics(model)
    with torch.no_grad(), statistics.attached():
        statistics.gather([((0, 1), (0, 0.8)), ((0, 1), (0.2, 1))])
        left, right = model(torch.cat([x[..., :10], x[..., 6:]]))
        return torch.cat([left[..., :8], right[..., 2:]], -1)[None]


@pytest.mark.parametrize("norm", OF_IMAGES)
def test_tiles_equal_their_image(norm: str) -> None:
    model, x = network(norm), image()
    with torch.no_grad():
        torch.testing.assert_close(in_two(model, x), model(x), atol=1e-5, rtol=1e-5)
        assert (torch.cat([model(x[..., :8]), model(x[..., 8:])], -1) - model(x)).abs().max() > 0.1


def test_what_is_kept_normalizes_other_tiles() -> None:
    model, x = network("sn"), image()
    statistics = ImageStatistics(model)
    with torch.no_grad():
        with statistics.attached():
            statistics.gather([((0, 1), (0, 1))])
            model(x)
            statistics.keep()
            tile = model(x[..., 3:5, :7])
        torch.testing.assert_close(tile, model(x)[..., 3:5, :7], atol=1e-5, rtol=1e-5)


def test_batches_come_near_to_one_batch_of_all() -> None:
    model, x = network("sn"), image()
    halves, parts = (x[..., :10], x[..., 6:]), (((0, 1), (0, 0.8)), ((0, 1), (0.2, 1)))
    statistics, errors = ImageStatistics(model), []
    with torch.no_grad():
        expected = model(x)
        with statistics.attached():
            for _ in range(4):
                for index, (half, part) in enumerate(zip(halves, parts, strict=True)):
                    statistics.gather([part], index)
                    model(half)
                statistics.keep()
                errors.append(float((model(x) - expected).abs().max()))
    assert errors[0] > 0.01
    assert errors[3] < 0.01 * errors[0]


@pytest.mark.parametrize("norm", ["bn", "syncbn"])
def test_norms_of_no_image_are_left_alone(norm: str) -> None:
    assert len(ImageStatistics(network(norm))) == 0


def test_fused_activations_instance_norms_of_torch_and_followers_of_a_norm() -> None:
    class NormAct(nn.GroupNorm):
        def __init__(self) -> None:
            super().__init__(4, 12)
            self.act = nn.SiLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(super().forward(x))

    model = network("sn")
    assert fuse_activations(model) == 2
    model.append(nn.Conv2d(5, 12, 1)).append(NormAct()).append(nn.InstanceNorm2d(12)).eval()
    assert len(ImageStatistics(model)) == 4
    with torch.no_grad():
        torch.testing.assert_close(in_two(model, image()), model(image()), atol=1e-5, rtol=1e-5)


def test_a_large_mean_costs_no_digits() -> None:
    model, x = network("in").double(), 1000 + 0.01 * image().double()
    with torch.no_grad():
        torch.testing.assert_close(in_two(model, x), model(x), atol=1e-6, rtol=1e-6)


def test_other_threads_run_the_model_as_it_is() -> None:
    model, x = network("sn"), image()
    statistics = ImageStatistics(model)
    with torch.no_grad(), ThreadPoolExecutor(1) as pool, statistics.attached():
        statistics.gather([((0, 1), (0, 0.5))])
        elsewhere = pool.submit(torch.no_grad()(model), x).result()
        model(x)
    with torch.no_grad():
        assert torch.equal(elsewhere, model(x))


@pytest.mark.parametrize("norm", ["sn", "gn"])
def test_autocast_stays_near(norm: str) -> None:
    model, x = network(norm), image()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(in_two(model, x), model(x), atol=0.1, rtol=0.1)


def test_what_stood_in_for_a_norm_is_there_again_and_serves_other_threads() -> None:
    model, x = network("gn"), image()
    norm, seen = model[1], []

    def stand_in(x: torch.Tensor) -> torch.Tensor:
        seen.append(threading.get_ident())
        return type(norm).forward(norm, x)

    norm.forward = stand_in
    statistics = ImageStatistics(model)
    seen.clear()
    with torch.no_grad(), ThreadPoolExecutor(1) as pool, statistics.attached():
        pool.submit(model, x).result()
    assert len(statistics) == 2
    assert len(seen) == 1
    assert norm.forward is stand_in


def test_one_model_is_taken_over_by_one_at_a_time() -> None:
    model = network("gn")
    first, second = ImageStatistics(model), ImageStatistics(model)
    entered = threading.Event()

    def take_over() -> None:
        with second.attached():
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with first.attached():
            waiting = pool.submit(take_over)
            assert not entered.wait(0.05)
        waiting.result()
    assert entered.is_set()
    assert not any("forward" in vars(module) for module in model.modules())


def test_the_norms_are_themselves_again_after_an_error() -> None:
    model = network("sn")
    with pytest.raises(RuntimeError), ImageStatistics(model).attached():
        raise RuntimeError
    assert all("forward" not in vars(module) for module in model.modules())
