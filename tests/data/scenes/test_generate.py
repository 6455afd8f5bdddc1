from pathlib import Path

import pytest

from switchseg.data.scenes.generate import Job, make_scenes
from switchseg.errors import UserError


def test_files_are_named_by_split_and_number() -> None:
    assert Job(Path("root"), "training", 7, seed=0).name == "scene_train_000007"
    assert Job(Path("root"), "validation", 0, seed=0).name == "scene_val_000000"


@pytest.mark.parametrize("content", [None, "[broken"])
def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path, content: str | None) -> None:
    name = "notes.txt" if content is None else "scenes.json"
    (tmp_path / name).write_text(content or "mine")
    with pytest.raises(UserError, match="holds something else than generated scenes"):
        next(make_scenes(tmp_path, 1, 0, 1))
    assert [path.name for path in tmp_path.iterdir()] == [name]
