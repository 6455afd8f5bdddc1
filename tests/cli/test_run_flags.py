"""Which of the arguments is the config, and what the flags beside it are."""

from pathlib import Path

import pytest

from switchseg.cli.run_flags import parse_run
from switchseg.cli.train import TrainFlags
from switchseg.errors import UserError


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("data: {dataset: camvid, root: here}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        "mine.yaml --out runs/v1.yaml --data.no-flip",
        "--out runs/v1.yaml mine.yaml --data.no-flip",
        "--data.no-flip mine.yaml --out runs/v1.yaml",
        "--data.no_flip --out=runs/v1.yaml mine.yaml",
        "--data.short-sides 300 375 mine.yaml --out runs/v1.yaml --data.no-flip",
    ],
)
def test_a_flag_s_value_is_not_the_config(arguments):
    flags, stem = parse_run(TrainFlags, "train", arguments.split())
    assert (stem, flags.out, flags.data.root, flags.data.flip) == ("mine", Path("runs/v1.yaml"), "here", False)


@pytest.mark.parametrize("arguments", ["--out mine.yaml", "--model.norm sn", "mine.json"])
def test_without_a_config_the_line_asks_for_one(arguments):
    with pytest.raises(UserError, match=r"needs a config: switchseg train CONFIG\.yaml"):
        parse_run(TrainFlags, "train", arguments.split())
