import pytest
import torch
from torch import nn

from switchseg.norms import SwitchNorm1d, SwitchNorm2d, SwitchNorm3d, convert_norms
from tests.integrations.hosts import host, run_snippets, train_step

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MONAI's own


@pytest.fixture(autouse=True, scope="module")
def monai():
    return host("monai")


def test_the_lines_of_the_page_train_a_step():
    names = run_snippets("MONAI")
    for model in (names["model"], names["segmenter"]):
        layers = {path: module for path, module in model.named_modules() if isinstance(module, SwitchNorm3d)}
        assert layers
        assert not any(isinstance(module, nn.InstanceNorm3d) for module in model.modules())
        moved = train_step(model, torch.randn(1, 1, 8, 8, 8), torch.optim.SGD(model.parameters(), 0.1))
        assert {f"{path}.mean_weight" for path in layers} <= moved


@pytest.mark.parametrize("name", ["sn", "SN", "sn_in_ln", "syncsn", "ssn", "syncssn"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_every_mixture_in_every_dimension(name, dims):
    from monai.networks.layers import get_norm_layer

    import switchseg.integrations.monai  # noqa: F401

    layer = get_norm_layer((name, {"eps": 1e-3}), spatial_dims=dims, channels=4)
    assert isinstance(layer, (SwitchNorm1d, SwitchNorm2d, SwitchNorm3d)[dims - 1])
    assert layer.eps == 1e-3
    x = torch.randn(2, 4, *[3] * dims)
    assert layer(x).shape == x.shape


def test_a_volume_after_conversion_of_what_monai_builds():
    """Its InstanceNorms have no scale and offset by default."""
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet

    model = UNet(3, in_channels=1, out_channels=2, channels=(4, 8, 16), strides=(2, 2), num_res_units=1)
    reported = []
    convert_norms(model, "sn", report=reported.append)
    assert set(reported[0].converted.values()) == {"InstanceNorm3d"}
    label = torch.randint(2, (1, 1, 16, 16, 16))
    loss = DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    volume = torch.randn(1, 1, 16, 16, 16).contiguous(memory_format=torch.channels_last_3d)
    moved = train_step(model, volume, optimizer, lambda logits: loss(logits, label))
    assert len([name for name in moved if name.endswith("var_weight")]) == len(reported[0].converted)
