import subprocess
import sys

import pytest

from switchseg.cli import main
from switchseg.cli.demo import load_predictors
from tests.demo.conftest import demo as demo
from tests.demo.conftest import model_folders as model_folders


def test_models_are_named_by_what_they_are_not_by_where(model_folders):
    first, second, third = load_predictors([*model_folders, model_folders[0]], "cpu")
    assert first == "SN: ResNet-18 + one convolution, 17 classes"
    assert second == "GN: ResNet-18 + one convolution, 17 classes"
    assert third == f"{first} (2)"


def test_a_taken_port_is_one_line(demo):
    port = demo.address.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "switchseg", "demo", str(demo.models[0]), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"switchseg: error: --port {port} of 127.0.0.1 cannot be used")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "message"), [([], "no model given"), (["none"], "none")])
def test_a_missing_model_is_one_line(arguments, message, capsys):
    assert main(["demo", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
