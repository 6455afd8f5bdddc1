"""What a conversion says of itself."""

import pytest

from switchseg.norms import Conversion


def test_all_of_it_is_said_a_line_for_each_reason():
    conversion = Conversion(
        "sn", {"a": "BatchNorm2d"}, {"b": "LayerNorm: last", "c": "LayerNorm: last"}, {"d": "Odd: why"}
    )
    assert str(conversion).splitlines() == [
        "1 norm exchanged for sn",
        "2 left, LayerNorm: last: b, c",
        "1 left, Odd: why: d",
    ]


def test_what_was_missed_is_a_warning():
    missed = {f"layer{index}": "Odd: why" for index in range(7)}
    line = r"^1 norm exchanged for sn, but not layer0, .*, layer4 and 2 more \(Odd: why\)$"
    with pytest.warns(UserWarning, match=line) as caught:
        Conversion("sn", {"a": "BatchNorm2d"}, {"b": "LayerNorm: last"}, missed).warn(stacklevel=1)
    assert caught[0].filename == __file__


def test_what_is_left_as_it_should_be_is_no_warning():
    """Warnings are errors here."""
    Conversion("sn", {"a": "BatchNorm2d"}, {"b": "LayerNorm: last"}).warn()


def test_nothing_exchanged_is_a_warning():
    with pytest.warns(UserWarning, match=r"^no norm was exchanged for sn: the model itself \(LayerNorm: last\)$"):
        Conversion("sn", {}, {"": "LayerNorm: last"}).warn()
