"""Every transform draws from a generator of its own."""

from dataclasses import dataclass, field

import numpy as np

from switchseg.data.augment.chain import Chain
from switchseg.data.augment.transform import Pair, Transform

PAIR = Pair(np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8))


@dataclass(frozen=True, kw_only=True)
class Recording(Transform):
    """Draws some numbers and keeps them."""

    draws: int = 1
    drawn: list[float] = field(default_factory=list)

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        self.drawn.extend(rng.random(self.draws))
        return pair


@dataclass(frozen=True, kw_only=True)
class Taking(Transform):
    """Puts another sample in the place of the one that it is given."""

    others = 1

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        return others[0]


@dataclass(frozen=True, kw_only=True)
class Brighter(Transform):
    """Adds one."""

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        return Pair(pair.image + np.uint8(1), pair.label)


def another(rng: np.random.Generator) -> Pair:
    return Pair(np.full_like(PAIR.image, rng.integers(100, 200)), PAIR.label)


def draws(*transforms: tuple[str, Transform], place: int = 0, seed: int = 1) -> list[list[float]]:
    Chain(transforms, seed)(PAIR, place, another)
    return [transform.drawn for _, transform in transforms if isinstance(transform, Recording)]


def test_another_transform_leaves_the_numbers_of_all_others() -> None:
    a, b = draws(("a", Recording()), ("b", Recording()))
    assert draws(("new", Recording()), ("a", Recording()), ("b", Recording()))[1:] == [a, b]
    assert draws(("a", Recording()), ("new", Recording(draws=9)), ("b", Recording()))[::2] == [a, b]
    assert draws(("b", Recording()), ("a", Recording())) == [b, a]
    assert draws(("a", Recording()), ("class", Taking()), ("b", Recording()))[1] == b
    assert a != b


def test_what_one_is_set_to_leaves_its_own_numbers_too() -> None:
    ((one,), (often,)) = draws(("a", Recording())), draws(("a", Recording(probability=0.999)))
    assert one == often


def test_numbers_depend_on_seed_place_name_and_how_many_had_the_name() -> None:
    seen = [
        *draws(("a", Recording()), ("a", Recording())),
        *draws(("a", Recording()), place=1),
        *draws(("a", Recording()), seed=2),
        *draws(("b", Recording())),
    ]
    assert len({tuple(each) for each in seen}) == len(seen)


def test_probability_is_how_often() -> None:
    transform = Recording(probability=0.25)
    chain = Chain([("a", transform)], 0)
    for place in range(2000):
        chain(PAIR, place, another)
    assert 420 < len(transform.drawn) < 580
    assert draws(("a", Recording(probability=0.0))) == [[]]


def test_another_sample_has_come_as_far_in_the_list() -> None:
    chain = Chain([("brighter", Brighter()), ("taking", Taking()), ("brighter", Brighter())], 0)
    images = [chain(PAIR, place, another).image for place in range(3)]
    assert all(102 <= image.min() == image.max() < 202 for image in images)  # 2 more than `another` gives
    assert len({int(image.min()) for image in images}) > 1
    assert np.array_equal(chain(PAIR, 2, another).image, images[2])


def test_nothing_changes_nothing() -> None:
    assert not Chain([], 0)
    assert Chain([], 0)(PAIR, 0, another) is PAIR
