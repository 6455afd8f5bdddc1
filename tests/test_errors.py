"""The exception that stands for a user's mistake."""

from switchseg.errors import LostRankError, UserError, first_line


def test_its_text_is_the_line_that_the_user_reads() -> None:
    assert str(UserError("data.root: not set; a folder was expected")) == "data.root: not set; a folder was expected"


def test_it_is_no_kind_of_what_code_raises_by_mistake() -> None:
    assert not issubclass(UserError, (ValueError, TypeError, KeyError, OSError))


def test_a_lost_rank_is_nobodys_mistake_and_can_be_tried_again() -> None:
    assert (UserError.exit_code, LostRankError.exit_code) == (2, 75)


def test_of_another_error_a_line_holds_the_first_line_or_its_kind() -> None:
    assert first_line(ValueError(" one\ntwo")) == "one"
    assert first_line(AssertionError()) == "AssertionError"
