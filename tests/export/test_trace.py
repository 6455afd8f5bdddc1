import pytest
import torch

from switchseg.errors import UserError
from switchseg.export.network import Deployed, Interface
from switchseg.export.trace import trace
from switchseg.models.create import create_model


def test_a_network_that_cannot_be_exported_is_refused_in_one_line() -> None:
    class Looking(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images * int(images.sum().item() > 0)

    network = Deployed(create_model("resnet18", "c1", "bn", num_classes=3), Interface())
    network.network.encoder.body.conv1 = Looking()
    with pytest.raises(UserError, match=r"^encoder 'resnet18' with decoder 'c1' cannot be exported \(") as caught:
        trace(network)
    assert "\n" not in str(caught.value)
