"""Rooms have what rooms have, where it belongs."""

import numpy as np

from switchseg.data.scenes import classes
from switchseg.data.scenes.room import room


def drawn(count):
    return [room(np.random.default_rng(seed), 150, 200) for seed in range(count)]


def test_the_floor_is_below_the_ceiling():
    for canvas in drawn(8):
        floor, ceiling = (np.nonzero(canvas.label == each)[0] for each in (classes.FLOOR, classes.CEILING))
        assert len(floor) > 0
        if len(ceiling):
            assert ceiling.max() < canvas.horizon < floor.min() + 1


def test_all_indoor_classes_occur_and_none_of_outdoors():
    seen = set().union(*(np.unique(canvas.label).tolist() for canvas in drawn(40)))
    wanted = ("CEILING", "DOOR", "FLOOR", "PERSON", "PICTURE", "SOFA", "TABLE", "WALL", "WINDOW")
    assert {getattr(classes, name) for name in wanted} <= seen
    assert not seen & {getattr(classes, name) for name in ("BUILDING", "CAR", "GRASS", "ROAD", "SKY", "TREE")}
