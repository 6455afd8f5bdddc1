"""A training without files begins as `switchseg train` would."""

import torch

from switchseg.engine.norm_choice.candidate import configured
from switchseg.engine.setup import open_training
from switchseg.engine.trial import trial
from tests.engine.norm_choice.test_candidate import make_config
from tests.engine.steps import WORLD


def test_the_seed_decides_the_weights_and_the_batches(tiny_camvid):
    def after_two_steps(seed):
        config = configured(make_config(tiny_camvid), "sn", seed, 2)
        with trial(config, open_training(config.data), WORLD) as (training, stepper, batches):
            names = []
            for batch in batches:
                stepper([batch])
                names.append(batch.names)
            training.guard.settle()
            return names, next(training.model.parameters()).detach().clone()

    (names, weights), (same_names, same_weights), (_, others) = map(after_two_steps, (1, 1, 2))
    assert len(names) == 2
    assert names == same_names
    assert torch.equal(weights, same_weights)
    assert not torch.equal(weights, others)
