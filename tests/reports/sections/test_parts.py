"""Pieces that several sections are made of."""

import pytest

from switchseg.reports.markup import tag
from switchseg.reports.sections.parts import delta, line_key, scrolling, swatch, titled_table


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(0.0123, 'class="delta up">+1.23<'), (-0.0123, 'class="delta down">−1.23<'), (0.0, 'class="delta">+0.00<')],
)
def test_a_difference_has_its_sign_in_words_and_colour(difference, expected):
    assert expected in str(delta(difference))


def test_a_legend_has_the_dashes_of_its_line():
    assert "stroke-dasharray" not in str(line_key(0))
    assert 'stroke-dasharray="7 3"' in str(line_key(1))
    assert "background:rgb(1,2,3)" in str(swatch((1, 2, 3)))


def test_what_is_wide_scrolls_by_keyboard_and_has_a_name():
    text = str(scrolling(tag("p", "wide"), "a & b"))
    assert 'tabindex="0"' in text
    assert 'aria-label="a &amp; b"' in text


def test_a_table_has_a_title_for_those_who_hear_it():
    text = str(titled_table("Scores", tag("tr"), [tag("tr")], "numbers", tall=True))
    assert "<caption" in text
    assert 'class="scroll tall"' in text
