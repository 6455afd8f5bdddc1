"""What the operating system refuses is one line and exit code 2, found before the work where it can be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from switchseg.cli import main
from tests.reports.make_runs import make_run

PROGRAM = [sys.executable, "-m", "switchseg"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}

# Every verb that writes, up to the name of the place. MODEL, IMAGE, CAMVID, RUN and CONFIG stand for files.
VERBS = {
    "predict": "predict MODEL IMAGE --out",
    "evaluate --json": "evaluate MODEL --dataset camvid --root CAMVID --json",
    "evaluate --confusion": "evaluate MODEL --dataset camvid --root CAMVID --confusion",
    "evaluate --per-image": "evaluate MODEL --dataset camvid --root CAMVID --per-image",
    "evaluate --save": "evaluate MODEL --dataset camvid --root CAMVID --save",
    "export": "export MODEL --format pt2 --out",
    "export-weights": "export-weights MODEL --encoder e.pth --decoder",
    "import-weights": "import-weights --encoder e.pth --decoder d.pth --arch-encoder a --arch-decoder b --out",
    "report": "report RUN --out",
    "plot": "plot curves RUN --out",
    "make-scenes": "make-scenes --images 1 --out",
    "check-data": "check-data --dataset camvid --root CAMVID --html",
    "check-data --propose": "check-data --dataset camvid --root CAMVID --propose",
    "make-list": "make-list --root CAMVID --images val --out",
    "train": "train CONFIG --data.root CAMVID --out",
    "probe": "probe CONFIG --data.root CAMVID --out",
    "find-rate": "find-rate CONFIG --data.root CAMVID --out",
    "compare": "compare CONFIG --data.root CAMVID --out",
}


@pytest.fixture
def arguments(tmp_path: Path, small_model: Path, tiny_camvid: Path) -> dict[str, list[str]]:
    config = tmp_path / "c.yaml"
    config.write_text("data: {dataset: camvid, workers: 0}\n")
    image = next((tiny_camvid / "val").iterdir())
    run = make_run(tmp_path / "run", "sn")
    names = {"MODEL": small_model, "IMAGE": image, "CAMVID": tiny_camvid, "RUN": run, "CONFIG": config}
    return {verb: [str(names.get(word, word)) for word in line.split()] for verb, line in VERBS.items()}


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_below_a_file_is_refused_before_the_work(
    verb: str, arguments: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    assert main([*arguments[verb], str(tmp_path / "file" / "out.svg")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("switchseg: error: ")
    assert captured.err.count("\n") == 1
    assert str(tmp_path / "file") in captured.err
    assert captured.out == ""
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("verb", ["evaluate --json", "export", "export-weights", "report", "plot", "make-list"])
def test_a_folder_is_no_place_for_a_file(
    verb: str, arguments: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.svg").mkdir()
    assert main([*arguments[verb], str(tmp_path / "folder.svg")]) == 2
    assert "folder.svg: is a folder" in capsys.readouterr().err
    assert not list((tmp_path / "folder.svg").iterdir())


# Every flag that names a file to be written -> a name that is surely a slip.
SLIPS = {
    "evaluate --json": "scores.csv",
    "evaluate --confusion": "matrix.json",
    "evaluate --per-image": "images.json",
    "export": "model.onnx",  # --format pt2
    "export-weights": "decoder.safetensors",
    "report": "page.pdf",
    "plot": "figure",
    "check-data": "page.json",
    "check-data --propose": "classes.txt",
    "make-list": "list.csv",
}


@pytest.mark.parametrize("verb", SLIPS)
def test_a_file_by_the_name_of_another_kind_is_refused_before_the_work(
    verb: str, arguments: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / SLIPS[verb]).write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    assert main([*arguments[verb], str(tmp_path / SLIPS[verb])]) == 2
    captured = capsys.readouterr()
    assert f"{SLIPS[verb]}: the name of a file to write was expected that ends in ." in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / SLIPS[verb]).read_text() == "kept"


def test_two_results_are_not_written_to_one_file(
    arguments: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "scores")
    assert main([*arguments["evaluate --json"], place, "--confusion", place]) == 2
    assert "two results cannot be written to one file" in capsys.readouterr().err


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], text=True, env=ENVIRONMENT, check=False, **options)


def test_a_pipe_that_nobody_reads_ends_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    done = run("models", "--side", "64", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["models", "--side", "64"], ["--help"]])
def test_output_that_cannot_be_written_is_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = run(*arguments, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.startswith("switchseg: error: standard output cannot be written: No space left")
    assert done.stderr.count("\n") == 1


def test_an_error_has_one_line_however_its_file_is_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "two\nlines")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_name_that_is_no_text_is_printed(tmp_path: Path, tiny_camvid: Path) -> None:
    name = os.fsdecode(b"not-\xff-text")
    done = run(
        "make-list", "--root", str(tiny_camvid), "--images", "val", "--out", name, cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0
    assert done.stdout.startswith("3 records in not-\\udcff-text, ")
    assert (tmp_path / name).is_file()
