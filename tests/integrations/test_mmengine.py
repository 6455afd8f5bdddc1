import pytest
import torch
from torch import nn

from switchseg.norms import SwitchNorm2d, SwitchNorm3d, SyncSwitchNorm2d
from tests.integrations.hosts import host, run_snippets

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # mmengine's own


@pytest.fixture(autouse=True, scope="module")
def mmengine():
    return host("mmengine")


def test_the_config_of_the_page_trains_a_step():
    from mmengine.model import BaseModel
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import MODELS
    from mmengine.utils import import_modules_from_strings

    config = run_snippets("mmengine, mmcv, mmsegmentation")
    import_modules_from_strings(**config["custom_imports"])

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.bn1 = MODELS.build({"type": config["norm_cfg"]["type"], "num_features": 4})

        def forward(self, inputs, mode):
            return {"loss": self.bn1(self.conv(inputs)).square().mean()}

    model = Model()
    assert type(model.bn1) is SwitchNorm2d
    wrapper = build_optim_wrapper(model, config["optim_wrapper"])
    decays = {id(group["params"][0]): group["weight_decay"] for group in wrapper.param_groups}
    assert decays[id(model.conv.weight)] == 5e-4
    assert decays[id(model.bn1.mean_weight)] == decays[id(model.bn1.var_weight)] == 0
    before = model.bn1.mean_weight.detach().clone()
    model.train_step({"inputs": torch.randn(2, 3, 8, 8)}, wrapper)
    assert not model.bn1.mean_weight.equal(before)


def test_the_types():
    from mmengine.registry import MODELS

    from switchseg.integrations.mmengine import MIXING_KEYS

    assert type(MODELS.build({"type": "SyncSN", "num_features": 4})) is SyncSwitchNorm2d
    assert type(MODELS.build({"type": "SN3d", "num_features": 4})) is SwitchNorm3d
    mixed = MODELS.build({"type": "SN", "num_features": 4, "statistics": ("in", "ln")})
    assert mixed.running_mean is None
    custom_keys = run_snippets("mmengine, mmcv, mmsegmentation")["optim_wrapper"]["paramwise_cfg"]["custom_keys"]
    assert custom_keys == MIXING_KEYS


def test_mmcv_calls_the_layer_bn_so_that_checkpoints_load():
    host("mmcv")
    from mmcv.cnn import ConvModule

    import switchseg.integrations.mmengine  # noqa: F401

    config = {"type": "SN", "requires_grad": True}
    trained, model = ConvModule(3, 4, 3, norm_cfg={"type": "BN"}), ConvModule(3, 4, 3, norm_cfg=config)
    trained.bn.running_mean.fill_(0.5)
    found = model.load_state_dict(trained.state_dict(), strict=False)
    assert set(found.missing_keys) == {"bn.mean_weight", "bn.var_weight"}
    assert not found.unexpected_keys
    assert model.bn.running_mean.eq(0.5).all()
