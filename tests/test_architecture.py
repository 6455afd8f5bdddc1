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


@pytest.mark.parametrize(
    "module", ["switchseg.config.schema", "switchseg.export", "switchseg.reports.page", "switchseg.cli"]
)
def test_torch_is_not_loaded_where_nothing_is_computed(module):
    assert "torch" not in modules_after(f"import {module}")


def test_the_flags_of_a_training_are_known_without_what_takes_long_to_load():
    assert not modules_after("import switchseg.cli.train") & {"torch", "numpy", "cv2", "PIL"}


def test_no_result_depends_on_the_default_device():
    """With all of it imported and used while tensors are made elsewhere by default."""
    code = """
import torch
torch.set_default_device(DEVICE)
import switchseg.norms as norms
from switchseg.preprocessing import BGR
from switchseg.engine.tally import Tally
from switchseg.metrics import confusion_matrix
generator = torch.Generator("cpu").manual_seed(0)
def draw(*size):
    return torch.randn(size, generator=generator, device="cpu")
found = []
for kind in norms.KINDS.values():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1, device="cpu"), torch.nn.BatchNorm2d(4, device="cpu"))
    for parameter in model.parameters():
        parameter.data.copy_(draw(*parameter.shape))
    norms.convert_norms(model, kind, "bn" if kind.like_batch_norm else "uniform")
    norms.calibrate(model, [draw(2, 3, 5, 5)])
    x = draw(2, 3, 6, 6).requires_grad_()
    norms.fold_norms(model.eval())(x).square().sum().backward()
    found += [x.grad.sum().item(), *(parameter.grad.sum().item() for parameter in model.parameters())]
images = (draw(2, 3, 4, 4) * 50 + 128).clamp(0, 255).to(torch.uint8)
found.append(BGR.normalize(images).sum().item())
matrix = confusion_matrix(images[0, 0] % 3, images[0, 1] % 3, 3)
found.append((Tally(3, True, None, {}, lambda images: []).matrix + matrix).tolist())
print(found)
"""
    printed = [
        subprocess.run(
            [sys.executable, "-c", code.replace("DEVICE", repr(device))], capture_output=True, text=True, check=True
        ).stdout
        for device in ("cpu", "meta")
    ]
    assert printed[0] == printed[1]
    assert len(printed[0]) > 500


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
