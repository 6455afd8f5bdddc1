"""Plugins are imported where the user says so, once, and never because a file of somebody else's does."""

import pickle
import subprocess
import sys

import pytest

from switchseg.cli import main
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.errors import UserError
from switchseg.plugins import WithPlugins, hint, import_plugins, imported


def test_a_file_is_imported_once_and_known_by_its_full_path(tmp_path):
    (tmp_path / "mine.py").write_text("print('imported')")
    assert import_plugins(["mine.py"], tmp_path) == (str(tmp_path / "mine.py"),)
    (tmp_path / "mine.py").unlink()
    import_plugins(["mine.py"], tmp_path)
    assert imported() == (str(tmp_path / "mine.py"),)


def test_a_file_may_lie_in_the_home_folder(tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "p.py").touch()
    (tmp_path / "configs").mkdir()
    assert import_plugins(["~/p.py"], tmp_path / "configs") == (str(tmp_path / "p.py"),)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.py", None, "there is no such file"),
        ("no_such_module_anywhere", None, "ModuleNotFoundError: No module named"),
        ("broken.py", "import no_such_module_anywhere", "ModuleNotFoundError: No module named"),
        ("wrong.py", "def", "SyntaxError: invalid syntax"),
        ("taken.py", "from switchseg.data import DATASETS\nDATASETS.register('voc')(print)", "called 'voc' already"),
    ],
)
def test_one_that_cannot_be_imported_is_one_line(name, content, reason, tmp_path, capsys):
    if content is not None:
        (tmp_path / name).write_text(content)
    path = tmp_path / name if name.endswith(".py") else name
    assert main(["train", "--help", "--import", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"switchseg: error: plugin {path}: ")
    assert reason in line
    assert imported() == ()


def test_import_needs_a_name(capsys):
    assert main(["train", "--import"]) == 2
    assert "--import: a module or a file ending in .py was expected" in capsys.readouterr().err


def test_names_in_help_are_those_of_plugins_too(tmp_path, capsys):
    (tmp_path / "schedules.py").write_text(
        "from switchseg.optim import SCHEDULES\nSCHEDULES.register('halved', replace=True)(lambda config, share: 0.5)"
    )
    with pytest.raises(SystemExit):
        main(["train", f"--import={tmp_path / 'schedules.py'}", "--help"])
    assert "--optim.schedule: poly, cosine, step, constant, halved" in capsys.readouterr().out


def test_a_config_that_the_user_gives_imports_and_one_that_lies_somewhere_does_not(tmp_path):
    (tmp_path / "sets.py").write_text(
        "from switchseg.data import DATASETS\nDATASETS.register('nowhere', replace=True)(print)"
    )
    (tmp_path / "config.yaml").write_text("plugins: [sets.py]\ndata: {dataset: nowhere}\n")
    with pytest.raises(UserError, match=r"no data set 'nowhere'.* not imported by themselves: add --import sets\.py$"):
        yaml.load(tmp_path / "config.yaml", RunConfig)
    config = yaml.load(tmp_path / "config.yaml", RunConfig, with_plugins=True)
    assert (config.data.dataset, config.plugins) == ("nowhere", (str(tmp_path / "sets.py"),))


def test_a_list_of_plugins_that_is_none_is_refused_by_its_key(tmp_path):
    (tmp_path / "config.yaml").write_text("plugins: 3\n")
    with pytest.raises(UserError, match="plugins must be a list of texts, found 3"):
        yaml.load(tmp_path / "config.yaml", RunConfig, with_plugins=True)


def test_nothing_is_hinted_at_where_all_are_imported(tmp_path):
    (tmp_path / "a.py").touch()
    names = import_plugins(["a.py"], tmp_path)
    assert hint(names) == ""
    assert hint([*names, "b.py", "c"]).endswith("add --import b.py --import c")


def test_a_spawned_process_imports_them_before_it_reads_what_needs_them(tmp_path):
    (tmp_path / "things.py").write_text("class Thing:\n    value = 3\n")
    import_plugins(["things.py"], tmp_path)
    thing = next(module for name, module in sys.modules.items() if name.startswith("switchseg_plugin_things_")).Thing()
    (tmp_path / "thing").write_bytes(pickle.dumps(WithPlugins(thing)))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).value.value)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "thing"], capture_output=True, text=True)
    assert done.stdout == "3\n", done.stderr


def test_an_installed_package_is_imported_by_its_entry_point(tmp_path):
    (tmp_path / "my_package.py").write_text(
        "from switchseg.optim import SCHEDULES\nSCHEDULES.register('mine')(print)\n"
    )
    information = tmp_path / "my_package-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[switchseg.plugins]\nmine = my_package\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from switchseg.cli import main\nassert main(['train', 'no.yaml']) == 2\n"
        "from switchseg.optim import SCHEDULES\nprint('mine' in SCHEDULES)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr
