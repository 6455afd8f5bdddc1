"""From a config to the objects of a training: data set, model, and the checkpoint to go on from."""

from __future__ import annotations

from pathlib import Path

from switchseg.checkpoints import training_state
from switchseg.engine.run_directory import RunDirectory
from switchseg.engine.training import Training
from switchseg.errors import UserError


def restore(training: Training, run: RunDirectory, resume: str) -> bool:
    """Bring `training` to where `resume` says: `auto`, `never` or the path of a checkpoint. Return whether it moved.

    `auto` goes on from the run's last checkpoint, if there is one. `never` starts at step 0, and only in a directory
    without checkpoints, so that no work is overwritten by accident.

    Raises:
        UserError: the checkpoint cannot be read or belongs to another training, or there is one to be overwritten.
    """
    last = training_state.latest(run.checkpoints)
    if resume == "never":
        if last is not None:
            raise UserError(f"{last}: --resume never would overwrite this run; pass another --out, or --resume auto")
        return False
    if resume == "auto":
        if last is None:
            return False
        path = last
    else:
        path = Path(resume)
    try:
        training.load_state_dict(training_state.load(path))
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: belongs to another training ({reason[:300]})") from None
    return True
