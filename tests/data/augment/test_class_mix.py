import numpy as np

from switchseg.data.augment.class_mix import ClassMix
from switchseg.data.augment.transform import Pair


def plain(height: int, width: int, labels: list[int], value: int) -> Pair:
    """Return a sample of one grey, its classes in stripes."""
    stripes = np.array(labels, np.uint8)[np.arange(width) * len(labels) // width]
    return Pair(np.full((height, width, 3), value, np.uint8), np.tile(stripes, (height, 1)))


def test_half_of_the_other_samples_classes_are_laid_over_this_one():
    below, above = plain(20, 40, [7], 10), plain(20, 40, [0, 1, 2, 3], 200)
    seen = set()
    for seed in range(20):
        image, label = ClassMix()(below, np.random.default_rng(seed), above)
        taken = np.setdiff1d(np.unique(label), [7])
        seen.add(tuple(taken))
        assert len(taken) == 2
        assert np.array_equal(label == 7, (image == 10).all(axis=-1))
        assert np.array_equal(label != 7, (image == 200).all(axis=-1))
        assert (label[:, above.label[0] == taken[0]] == taken[0]).all()
    assert len(seen) > 3


def test_what_is_ignored_is_never_laid_over():
    image, label = ClassMix(share=1.0)(plain(20, 40, [7], 10), np.random.default_rng(0), plain(20, 40, [255, 3], 200))
    assert set(np.unique(label)) == {3, 7}
    nothing = ClassMix()(plain(20, 40, [7], 10), np.random.default_rng(0), plain(20, 40, [255], 200))
    assert (nothing.label == 7).all()
    assert (nothing.image == 10).all()


def test_of_samples_that_differ_in_size_only_the_common_part_changes():
    image, label = ClassMix(share=1.0)(plain(20, 40, [7], 10), np.random.default_rng(0), plain(30, 25, [3], 200))
    assert label.shape == (20, 40)
    assert (label[:, :25] == 3).all()
    assert (label[:, 25:] == 7).all()
