"""Which of the files beside a data set say what its labels mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from switchseg.classes import Classes
from switchseg.data.description import Description, parse_description
from switchseg.data.labels import LabelMap, MapOf, Meaning
from switchseg.errors import UserError
from switchseg.text import parse_yaml, read_text

CLASS_FILES = ("dataset.yaml", "classes.json", "classes.txt")
SETTINGS = CLASS_FILES[0]


class Described(NamedTuple):
    """What the files in a folder say."""

    description: Description
    name: str
    """The file that says it, or both."""

    def meaning(self, own: Classes | None = None, label_map: MapOf = LabelMap.identity) -> Meaning:
        """Return the classes and what label values stand for; see `Description.meaning`."""
        return self.description.meaning(self.name, own, label_map)


def describe(*folders: Path) -> Described | None:
    """Read the first of dataset.yaml, classes.json and classes.txt in the first folder that has one.

    A dataset.yaml without classes leaves them to the other two.

    Raises:
        UserError: the file does not say what it should; names the key.
    """
    for folder in folders:
        found = [folder / name for name in CLASS_FILES if (folder / name).is_file()]
        if not found:
            continue
        if found[0].name != SETTINGS or len(found) == 1 or _names_classes(found[0]):
            return Described(_read(found[0]), str(found[0]))
        listed = _read(found[1])
        # Its label_map may name the classes of the other file; its settings win over that file's colours.
        settings = {**listed.settings(), **_read(found[0], listed.classes).settings()}
        return Described(Description(**settings), f"{found[0]} with {found[1].name}")
    return None


def _names_classes(path: Path) -> bool:
    content = parse_yaml(read_text(path), path)
    return isinstance(content, dict) and bool(content.get("classes"))


def meaning_of(*folders: Path, own: Classes | None = None, label_map: MapOf = LabelMap.identity) -> Meaning:
    """Return what the description in the first of the folders that has one says; see `Description.meaning`.

    Raises:
        UserError: there is none and `own` is None, or it does not say what it should.
    """
    described = describe(*folders)
    if described is None and own is None:
        raise UserError(
            f"{folders[0]}: none of {', '.join(CLASS_FILES)}; write the class names to classes.txt, one a line"
        )
    return (described or Described(Description(), str(folders[-1]))).meaning(own, label_map)


def built_in(root: Path, own: Classes, label_map: MapOf = LabelMap.identity) -> Meaning:
    """Return the meaning of a data set that is known by its name, unless dataset.yaml in `root` says else."""
    path = root / SETTINGS
    return (_read(path) if path.is_file() else Description()).meaning(path, own, label_map)


def _read(path: Path, names: Sequence[str] = ()) -> Description:
    description = parse_description(read_text(path), path, names)
    if path.name != SETTINGS and not description.classes:
        raise UserError(f"{path}: no classes; list their names in label order")
    return description
