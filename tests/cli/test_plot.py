from switchseg.cli import main
from tests.reports.conftest import run_folders as run_folders


def test_plot_writes_the_figure_and_says_where(run_folders, tmp_path, capsys):
    out = tmp_path / "curves.svg"
    assert main(["plot", "curves", *map(str, run_folders), "--out", str(out)]) == 0
    assert out.read_text().startswith("<?xml")
    assert capsys.readouterr().out == f"{out}\n"


def test_mistakes_are_one_line(run_folders, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = str(run_folders[0])
    for arguments in (
        ["pie", folder],
        ["curves"],
        ["curves", "none"],
        ["shares", folder],
        ["curves", folder, "--out", "a.gif"],
    ):
        assert main(["plot", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
