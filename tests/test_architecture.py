"""The promises of docs/architecture.md about imports, held by real processes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_one_file():
    ours = {name for name in modules_after("import switchseg") if name.startswith("switchseg")}
    assert ours == {"switchseg"}


def test_the_norms_are_a_library_of_their_own():
    loaded = modules_after("import switchseg.norms")
    ours = {name for name in loaded if name.startswith("switchseg.")}
    assert all(name.startswith("switchseg.norms") for name in ours)
    assert not loaded & {"timm", "torchvision", "cv2", "PIL", "triton"}


@pytest.mark.parametrize("module", ["switchseg.config.schema", "switchseg.reports.page", "switchseg.cli"])
def test_torch_is_not_loaded_where_nothing_is_computed(module):
    assert "torch" not in modules_after(f"import {module}")


def test_rooms_import_only_the_rooms_below_them():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_architecture_page_names_every_room():
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    rooms = {path.stem for path in (REPOSITORY / "src" / "switchseg").iterdir() if path.stem.strip("_") == path.stem}
    assert {room for room in rooms - {"py"} if f"\n{room} " not in page} == set()
