"""The layers of detectron2 as `detectron2-layers` has them, a package of those files alone; itself it has none."""

import torch
from torch import nn

from switchseg.norms import MIXING, SwitchNorm2d
from tests.integrations.hosts import host, run_snippets, train_step


def test_a_callable_from_channels_and_overrides_by_the_parameters_own_names():
    names = run_snippets("detectron2")
    layer = names["switch_norm"](4)
    assert type(layer) is SwitchNorm2d
    assert layer.num_features == 4
    model = nn.Sequential(nn.Conv2d(3, 4, 3), layer)
    own = {name for module in model.modules() for name, _ in module.named_parameters(recurse=False)}
    assert names["MIXING_OVERRIDES"].keys() == own & set(MIXING)


def test_a_block_of_its_layers_is_trained_and_frozen():
    layers = host("detectron2_layers")

    class Block(layers.CNNBlockBase):
        def __init__(self):
            super().__init__(3, 4, 1)
            norm = layers.get_norm(run_snippets("detectron2")["switch_norm"], 4)
            self.conv = layers.Conv2d(3, 4, 3, bias=False, norm=norm, activation=torch.relu)

        def forward(self, x):
            return self.conv(x)

    block = Block()
    optimizer = torch.optim.SGD(block.parameters(), lr=0.1)
    assert "conv.norm.mean_weight" in train_step(block, torch.randn(2, 3, 8, 8), optimizer)
    # Freezing exchanges BatchNorms only, as the page says.
    assert type(block.freeze().conv.norm) is SwitchNorm2d
    assert not any(parameter.requires_grad for parameter in block.parameters())
