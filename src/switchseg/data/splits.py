"""What splits are called: `train`, `val` and `test`, and the words that people have for them."""

from __future__ import annotations

_WORDS = {"train": ("train", "training"), "val": ("val", "validation", "valid"), "test": ("test", "testing")}


def words_for(split: str) -> tuple[str, ...]:
    """Return what a split may be called in a data set's files, the usual word first."""
    return _WORDS.get(split, (split,))


def canonical_split(word: str) -> str:
    """Return `train`, `val` or `test` for any of its words; other splits stay as they are."""
    return next((split for split, words in _WORDS.items() if word in words), word)


ALL_WORDS = frozenset(word for words in _WORDS.values() for word in words)
