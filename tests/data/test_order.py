import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchseg.data.order import EpochOrder, generator
from switchseg.errors import UserError


def dealt(buckets, size, seed, groups):
    order = EpochOrder(np.array(buckets), size, seed)
    return [order[number].tolist() for number in range(groups)]


def test_an_epoch_shows_every_record_once():
    shown = dealt([0] * 10 + [1] * 6, 2, 0, 8)
    assert sorted(sum(shown, [])) == list(range(16))


def test_a_group_is_of_one_bucket():
    buckets = [0, 1] * 20
    assert all(len({buckets[record] for record in group}) == 1 for group in dealt(buckets, 4, 3, 100))


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 1), min_size=1, max_size=30),
    st.integers(1, 4),
    st.integers(0, 5),
)
def test_no_record_is_ahead_of_another_by_more_than_its_group(buckets, size, seed):
    order = EpochOrder(np.array(buckets), size, seed)
    counts = np.zeros(len(buckets), int)
    for number in range(60):
        np.add.at(counts, order[number], 1)
        for bucket in set(buckets):
            # Within a bucket nothing is shown a second time before all were shown, but for the group that
            # straddles two epochs; a bucket smaller than a group has to repeat within it.
            members = counts[np.array(buckets) == bucket]
            assert members.max() - members.min() <= 1 + size // len(members)


def test_leftovers_come_first_in_the_next_epoch():
    shown = dealt([0] * 5 + [1] * 3, 2, 1, 4)  # epoch 0: two groups and one group; epoch 1 starts with the rest
    first_epoch = set(sum(shown[:3], []))
    assert len(first_epoch) == 6
    late = set(range(8)) - first_epoch
    order = EpochOrder(np.array([0] * 5 + [1] * 3), 2, 1)
    assert order.epoch(2) == 0
    assert order.epoch(3) == order.epoch(4) == 1
    assert late <= set(order[3].tolist() + order[4].tolist())


def test_any_group_is_found_without_those_before():
    buckets = np.arange(50) % 3
    in_a_row = dealt(buckets, 4, 7, 200)
    for number in (199, 0, 120, 13, 14, 13):
        assert EpochOrder(buckets, 4, 7)[number].tolist() == in_a_row[number]


def test_seeds_and_epochs_differ():
    assert dealt([0] * 20, 2, 0, 10) != dealt([0] * 20, 2, 1, 10)
    twice = dealt([0] * 20, 2, 0, 20)
    assert twice[:10] != twice[10:]


def test_epochs_mix_the_buckets():
    shown = dealt([0] * 100 + [1] * 100, 2, 0, 100)
    changes = sum((a[0] < 100) != (b[0] < 100) for a, b in zip(shown, shown[1:], strict=False))
    assert 30 < changes < 70


def test_nothing_to_show_is_said():
    with pytest.raises(UserError, match="no images"):
        EpochOrder(np.array([], int), 2, 0)


def test_generators_of_different_paths_differ():
    assert generator(1, 2, 3).random() == generator(1, 2, 3).random()
    assert len({generator(1, 2, 3).random(), generator(1, 3, 2).random(), generator(2, 2, 3).random()}) == 3
