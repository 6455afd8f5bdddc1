"""Colours and dash patterns that can be told apart."""

from switchseg.reports.theme import RUNS, STATISTICS, line_style, run_class, run_ink


def luminance(colour: str) -> float:
    """Relative luminance of WCAG."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lines_stand_out_from_their_page():
    for ink in RUNS:
        assert 1.05 / (luminance(ink.light) + 0.05) >= 3  # against white, as WCAG asks of graphics
        assert (luminance(ink.dark) + 0.05) / 0.055 >= 4.5  # against near black


def test_no_two_runs_look_alike_even_without_colours():
    assert len({ink.dash for ink in RUNS}) == len(RUNS)
    assert len({ink.light for ink in (*RUNS, *STATISTICS.values())}) == len(RUNS) + len(STATISTICS)


def test_beyond_the_last_colours_begin_again():
    assert run_ink(len(RUNS) + 1) == RUNS[1]
    assert run_class(len(RUNS) + 1) == "r1"


def test_dashes_are_written_as_matplotlib_wants_them():
    assert line_style(RUNS[0]) == "-"
    start, dashes = line_style(RUNS[1])
    assert start == 0
    assert len(dashes) == 2
