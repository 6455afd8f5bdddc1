import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from switchseg.engine.windows import Windows


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.integers(1, 50),
    st.integers(1, 50),
    st.sampled_from([1, 8, 32]),
    st.booleans(),
)
def test_every_pixel_belongs_to_one_window_that_shows_it(
    size: tuple[int, int], window: int, stride: int, grid: int, alike: bool
) -> None:
    windows = Windows(size, window, min(stride, window), grid, alike=alike)
    for spans, length in zip((windows.rows, windows.columns), size, strict=True):
        assert [span.low for span in spans] == [0, *(span.high for span in spans[:-1])]
        assert spans[-1].high == spans[-1].stop == length
        assert all(span.start <= span.low <= span.high <= span.stop for span in spans)
        assert all(span.start % grid == 0 and (span.low % grid == 0) for span in spans)
        assert not alike or len({span.stop - span.start for span in spans}) == 1
    assert sorted(windows.spread()) == sorted(windows)


def test_the_first_of_a_spread_lie_apart() -> None:
    spread = Windows((1000, 1000), 100, 100, 1).spread()[:10]
    pairs = itertools.combinations(spread, 2)
    assert min(max(abs(a[0].start - b[0].start), abs(a[1].start - b[1].start)) for a, b in pairs) >= 200
