"""What is frozen does not move, and everything else does."""

import pytest
import torch

from switchseg.engine.step import Stepper
from switchseg.errors import UserError
from tests.engine.steps import make_batch, make_training


def moved(training) -> set[str]:
    """Return the parts whose parameters or statistics a step changes."""
    before = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    Stepper(training)([make_batch()])
    training.guard.settle()
    after = training.model.state_dict()
    names = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    return {name.split(".")[2] if name.startswith("encoder") else name.split(".")[0] for name in names}


ALL = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "decoder", "auxiliary"]


@pytest.mark.parametrize(("last", "first"), [(None, 0), (0, 2), (2, 4), (4, 6)])
def test_stem_and_first_stages_stay_as_they_are_norms_included(last, first):
    training = make_training(encoder="test_resnet_dilated8", frozen_stages=last)
    training.model.train()
    training.set_training_mode()  # after an evaluation
    assert moved(training) == set(ALL[first:])
    assert training.model.encoder.body.layer1.training == (last in (None, 0))


def test_more_stages_than_there_are_is_a_mistake():
    with pytest.raises(UserError, match=r"train\.frozen_stages: 5; test_resnet_dilated8 has 4 stages, so 0 to 4"):
        make_training(encoder="test_resnet_dilated8", frozen_stages=5)


def test_norms_alone():
    training = make_training("bn", encoder="test_resnet_dilated8", freeze_norms=True)
    assert "bn1" not in moved(training)
