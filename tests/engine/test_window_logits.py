import numpy as np
import pytest
import torch

from switchseg.engine.network import Network
from switchseg.engine.window_logits import each_as_part, whole_logits
from switchseg.engine.windows import Windows
from switchseg.models.create import create_model


@pytest.mark.parametrize("norm", ["sn", "gn"])
def test_windows_with_the_statistics_of_the_image_give_its_logits(norm: str) -> None:
    """But for what convolutions see beyond a window, which an overlap of so many pixels keeps away from its part."""
    torch.manual_seed(0)
    model = create_model("resnet18", "c1", norm, num_classes=3).eval()
    inputs = torch.randn(1, 3, 72, 840, generator=torch.Generator().manual_seed(0))
    inputs += torch.linspace(-2, 2, 840)
    network = Network(model)
    windows = Windows((72, 840), 640, 192, 32, alike=True)
    assert len(windows) == 2
    with torch.inference_mode():
        whole = network(inputs)
        assert torch.allclose(whole_logits(network, inputs, windows), whole, atol=1e-3 * float(whole.abs().max()))


def test_more_than_goes_through_at_once_has_nearly_the_same_logits() -> None:
    torch.manual_seed(0)
    network = Network(create_model("resnet18", "c1", "sn", num_classes=3).eval())
    inputs = torch.randn(1, 3, 64, 320, generator=torch.Generator().manual_seed(0)) + torch.linspace(-2, 2, 320)
    windows = Windows((64, 320), 64, 64, 32, alike=True)

    def logits(pixels: int) -> torch.Tensor:
        read = lambda row, column: inputs[..., row.seen, column.seen]  # noqa: E731
        with torch.inference_mode():
            return torch.cat([part for *_, part in each_as_part(network, windows, read, pixels=pixels)])

    at_once, in_batches = logits(2**22), logits(2 * 64 * 64)
    assert 0 < (in_batches - at_once).abs().max() < 0.05 * at_once.abs().max()


def test_a_sample_that_stands_for_an_image_is_told(caplog: pytest.LogCaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr("switchseg.engine.window_logits.BATCHES", 3)
    network = Network(create_model("resnet18", "c1", "in", num_classes=3).eval())
    windows = Windows((32, 160), 32, 32, 32, alike=True)
    with torch.inference_mode():
        assert len(list(each_as_part(network, windows, lambda *_: torch.randn(1, 3, 32, 32), pixels=1))) == 5
        assert caplog.messages == ["the statistics of the image are those of 3 of its 5 windows"]
        list(each_as_part(network, windows, lambda *_: torch.randn(1, 3, 32, 32), pixels=2 * 32 * 32))
    assert len(caplog.messages) == 1


def test_some_windows_stand_for_all_and_empty_ones_are_left_out() -> None:
    torch.manual_seed(0)
    network = Network(create_model("resnet18", "c1", "in", num_classes=3).eval())
    inputs = torch.randn(1, 3, 128, 256, generator=torch.Generator().manual_seed(0))
    windows = Windows((128, 256), 64, 64, 32, alike=True)

    def read(row, column):
        return None if row.start == 0 else inputs[..., row.seen, column.seen]

    with torch.inference_mode():
        found = list(each_as_part(network, windows, read, pixels=2 * 64 * 64))
        assert [(row.start, column.start) for row, column, _ in found] == [(64, 0), (64, 64), (64, 128), (64, 192)]
        assert all(np.isfinite(logits.numpy()).all() for *_, logits in found)
        assert not list(each_as_part(network, windows, lambda row, column: None))
