import pytest

from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.engine.finetune.fit import FEWEST_STEPS, seconds_for, steps_in
from switchseg.engine.finetune.probe import Speed
from switchseg.errors import UserError

SPEED = Speed(start=6.0, step=0.5, image=0.1)


@pytest.mark.parametrize("calibrate", [0, 40])
def test_a_training_uses_the_time_and_no_more(calibrate):
    config = RunConfig(train=TrainConfig(calibrate=calibrate, accumulate=2))
    steps = steps_in(600, 30, SPEED, config, validation_images=20)
    assert 0.9 * 600 < 30 + seconds_for(steps, SPEED, config, 20) <= 600


def test_more_images_to_evaluate_leave_fewer_steps():
    assert steps_in(600, 30, SPEED, RunConfig(), 200) < steps_in(600, 30, SPEED, RunConfig(), 20)


def test_too_little_time_is_refused_with_what_is_needed():
    with pytest.raises(UserError, match=r"--minutes 0\.5: .* ([\d.]+) or more were expected") as caught:
        steps_in(30, 20, SPEED, RunConfig(), 20)
    needed = float(str(caught.value).split("; ")[1].split()[0])
    assert steps_in(60 * (needed + 0.1), 20, SPEED, RunConfig(), 20) >= FEWEST_STEPS
