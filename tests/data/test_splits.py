"""The words for splits."""

import pytest

from switchseg.data.splits import ALL_WORDS, canonical_split, words_for


@pytest.mark.parametrize("word", sorted(ALL_WORDS))
def test_every_word_is_one_of_its_split(word):
    assert word in words_for(canonical_split(word))


def test_other_splits_are_called_as_they_are():
    assert canonical_split("minival") == "minival"
    assert words_for("minival") == ("minival",)
