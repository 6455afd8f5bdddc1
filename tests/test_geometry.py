from hypothesis import given
from hypothesis import strategies as st

from switchseg.geometry import fit_short_side, round_up

LENGTHS = st.integers(1, 20_000)


@given(LENGTHS, LENGTHS, st.integers(1, 2000), st.integers(1, 4000))
def test_sides_stay_within_their_limits(height, width, short, long):
    fitted = fit_short_side(height, width, short, long)
    assert 1 <= min(fitted) <= max(short, 1)
    assert max(fitted) <= max(long, 1)


def test_the_numbers_of_2018():
    assert fit_short_side(512, 683, 450) == (450, 600)
    assert fit_short_side(683, 512, 450) == (600, 450)
    assert fit_short_side(300, 2000, 600) == (150, 1000)
    assert fit_short_side(1, 5000, 300) == (1, 1000)


@given(st.integers(1, 10_000), st.integers(1, 64))
def test_round_up_is_the_next_multiple(length, multiple):
    rounded = round_up(length, multiple)
    assert rounded % multiple == 0
    assert 0 <= rounded - length < multiple
