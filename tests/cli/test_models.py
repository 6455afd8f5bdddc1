import pytest

from switchseg.cli import main
from switchseg.models.encoders import LISTED


@pytest.mark.slow
def test_models_are_listed_with_their_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--encoder=hrnetv2"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert set(LISTED) <= lines.keys()
    assert lines["resnet50_dilated8"].split()[1:] == ["23.5", "M", "199.3", "8", "256/4", "512/8", "1024/8", "2048/8"]
    assert lines["upernet"].endswith("needs 2 maps or more")


@pytest.mark.parametrize("option", ["--encoder=resnet51", "--norm=batch", "--side=1"])
def test_mistakes_end_with_one_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", option]) == 2
    assert capsys.readouterr().err.count("\n") == 1
