"""The exception that stands for a user's mistake."""

from switchseg.errors import LostRankError, UserError


def test_its_text_is_the_line_that_the_user_reads() -> None:
    assert str(UserError("data.root: not set; a folder was expected")) == "data.root: not set; a folder was expected"


def test_it_is_no_kind_of_what_code_raises_by_mistake() -> None:
    assert not issubclass(UserError, (ValueError, TypeError, KeyError, OSError))


def test_a_lost_rank_is_nobodys_mistake_and_can_be_tried_again() -> None:
    assert (UserError.exit_code, LostRankError.exit_code) == (2, 75)
