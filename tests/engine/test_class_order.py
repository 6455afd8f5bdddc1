import pytest

from switchseg.classes import Classes
from switchseg.engine.class_order import match_classes
from switchseg.errors import UserError


class Data:
    name = "toy"

    def __init__(self, *names):
        self.classes = Classes.named(names)


def match(model, data, **options):
    return match_classes(Classes.named(tuple(model.split())), Data(*data.split()), **options)


def test_equal_names_need_nothing(caplog):
    assert match("sky Road car", "Sky road car") is None
    assert not caplog.records


def test_the_same_names_in_another_order_are_matched(caplog):
    assert match("sky road car", "car sky road").tolist() == [1, 2, 0]
    assert "another order; they are matched by name" in caplog.text


def test_other_names_are_told(caplog):
    assert match("sky road", "sky street") is None
    assert "other names than those of data set toy (class 1: 'road', 'street')" in caplog.text
    caplog.clear()
    assert match("sky road", "sky street", tell=False) is None
    assert not caplog.records


def test_classes_without_names_are_compared_by_number_without_a_word(caplog):
    assert match_classes(Classes.unnamed(2), Data("sky", "road")) is None
    assert not caplog.records


@pytest.mark.parametrize("data", ["road car bus", "bus sky road"])
def test_shifted_classes_are_refused(data):
    with pytest.raises(UserError, match="is a class of the model and of data set toy, but at another place"):
        match("sky road car", data)


def test_other_numbers_are_refused():
    with pytest.raises(UserError, match=r"^the model has 3 classes but data set toy has 2; [^\n]*$"):
        match("sky road car", "sky road")
