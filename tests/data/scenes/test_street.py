"""Streets have what streets have, where it belongs."""

import numpy as np

from switchseg.data.scenes import classes
from switchseg.data.scenes.street import street

INDOORS = [getattr(classes, name) for name in ("CEILING", "DOOR", "FLOOR", "PICTURE", "SOFA", "TABLE", "WINDOW")]


def drawn(count):
    return [street(np.random.default_rng(seed), 150, 200) for seed in range(count)]


def test_every_street_has_a_sky_above_its_road():
    for canvas in drawn(8):
        sky, road = (np.nonzero(canvas.label == each)[0] for each in (classes.SKY, classes.ROAD))
        assert len(sky) > 0
        assert len(road) > 0
        assert sky.mean() < canvas.horizon < road.min() + 20


def test_all_outdoor_classes_occur_and_none_of_indoors():
    seen = set().union(*(np.unique(canvas.label).tolist() for canvas in drawn(30)))
    wanted = ("BUILDING", "CAR", "GRASS", "PERSON", "POLE", "ROAD", "SIDEWALK", "SKY", "TREE")
    assert {getattr(classes, name) for name in wanted} <= seen
    assert not seen & set(INDOORS)
