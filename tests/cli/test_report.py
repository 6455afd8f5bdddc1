import pytest

from switchseg.cli import main
from tests.reports.conftest import run_folders as run_folders


def test_report_writes_the_page_and_says_where(run_folders, tmp_path, capsys):
    out = tmp_path / "new" / "page.html"
    assert main(["report", *map(str, run_folders), "--out", str(out)]) == 0
    assert out.read_text().startswith("<!doctype html>")
    assert capsys.readouterr().out.startswith(f"{out} (")


@pytest.mark.parametrize("arguments", [[], ["none"], ["none", "--colour", "red"]])
def test_mistakes_are_one_line(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_ends_in_md_gets_the_tables(run_folders, tmp_path):
    assert main(["report", *map(str, run_folders), "--out", str(tmp_path / "tables.md")]) == 0
    assert (tmp_path / "tables.md").read_text().startswith("| norm | single-scale mIoU |")


def test_no_page_is_written_over_another_kind_of_file(run_folders, tmp_path, capsys):
    config = run_folders[0] / "config.yaml"
    before = config.read_bytes()
    for out in (config, tmp_path / "page.pdf"):
        assert main(["report", str(run_folders[0]), "--out", str(out)]) == 2
        assert (
            f"{out}: the name of a file to write was expected that ends in .html or .htm or .md"
            in capsys.readouterr().err
        )
    assert config.read_bytes() == before
    assert not (tmp_path / "page.pdf").exists()
