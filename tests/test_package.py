"""The package as others get it: what the wheel holds, and that its norms need nothing but torch.

Built here, or those in the folder SWITCHSEG_DIST, as `packaging/build.sh` makes them.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
SOURCES = ("src", "configs", "CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py")
LIBRARIES = {
    f"switchseg/{name}.so" for name in ("norms/_native", "norms/_launch", "norms/_addresses", "metrics/_pairs")
}

pytestmark = pytest.mark.slow


def build(command, out, **environment):
    """Build from a copy, so that nothing which lies in the checkout gets in."""
    copy = out / "source"
    copy.mkdir(parents=True)
    for name in SOURCES:
        place = REPOSITORY / name
        leave = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__")
        shutil.copytree(place, copy / name, ignore=leave) if place.is_dir() else shutil.copy(place, copy)
    environment = {**os.environ, **environment}
    subprocess.run([sys.executable, *command], cwd=copy, env=environment, check=True, capture_output=True)


def build_wheel(out, **environment):
    build(["-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "-w", str(out)], out, **environment)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    ready = os.environ.get("SWITCHSEG_DIST")
    if ready:
        return next(Path(ready).glob("*.whl"))
    return build_wheel(tmp_path_factory.mktemp("wheel"), SWITCHSEG_REPOSITORY="https://example.org/switchseg")


def test_one_wheel_serves_every_python(wheel):
    assert re.fullmatch(r"switchseg-[\d.]+-py3-none-\w*linux\w*_\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        # auditwheel adds the folders.
        names = {entry.filename for entry in archive.infolist() if not entry.is_dir()}
    assert {name for name in names if name.endswith(".so")} == LIBRARIES
    assert {"switchseg/py.typed", "switchseg/configs/quickstart.yaml", "switchseg/norms/csrc/native.cpp"} <= names
    assert {name for name in names if name.endswith((".css", ".js"))}
    shipped = {name for name in names if name.startswith("switchseg/configs/")}
    assert len(shipped) == len(list((REPOSITORY / "configs").rglob("*.yaml")))
    assert {name.split("/")[0] for name in names} == {"switchseg", wheel.name.rsplit("-", 3)[0] + ".dist-info"}
    assert wheel.stat().st_size < 2 << 20


def test_its_page_has_no_address_that_is_relative(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(wheel.name.rsplit("-", 3)[0] + ".dist-info/METADATA").decode()
    addresses = re.findall(r'(?:src|srcset)="([^"]*)"|\]\(([^)]*)\)', metadata)
    assert len(addresses) > 10
    assert all(address.startswith("https://") for pair in addresses for address in pair if address)
    assert "Project-URL: Changelog" in metadata


def test_the_sources_alone_build_without_a_compiler(tmp_path):
    build(["setup.py", "-q", "sdist", "--dist-dir", str(tmp_path)], tmp_path / "sdist")
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
        assert not any("/tests/" in name or name.endswith(".so") for name in names)
        assert any(name.endswith("configs/quickstart.yaml") for name in names)
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    command = [sys.executable, "-m", "pip", "wheel", str(source), "--no-deps", "--no-build-isolation"]
    environment = {**os.environ, "CC": "false", "CXX": "false"}
    subprocess.run([*command, "-w", str(tmp_path)], env=environment, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as archive:
        assert not any(name.endswith(".so") for name in archive.namelist())


def with_requirements(name, found):
    """Add the distribution `name` to `found`, and what it needs as far as it is installed."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return found
    if distribution.name not in found:
        found[distribution.name] = distribution
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement:
                with_requirements(re.match(r"[\w.-]+", requirement).group(), found)
    return found


def test_a_fresh_environment_with_torch_alone_trains_a_converted_model(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = tmp_path / "env" / "lib" / version / "site-packages"
    for distribution in with_requirements("torchvision", {}).values():
        tops = {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            if not (site / top).exists():
                (site / top).symlink_to(Path(distribution.locate_file(top)))
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--quiet", str(wheel)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(install, env=environment, check=True, capture_output=True)
    code = """
import sys
import torch
from switchseg.norms import convert_norms, norm_shares, parameter_groups, resolve_backend
assert not {"PIL", "timm", "torchvision", "yaml"} & set(sys.modules)
assert resolve_backend(torch.zeros(1, 1, 1, 1))[0] == "native"
import torchvision
model = convert_norms(torchvision.models.resnet18(num_classes=3), "sn")
optimizer = torch.optim.SGD(parameter_groups(model, lr=0.1, weight_decay=1e-4))
torch.nn.functional.cross_entropy(model(torch.randn(2, 3, 64, 64)), torch.tensor([0, 2])).backward()
optimizer.step()
assert norm_shares(model)["bn1"]["mean"]["bn"] != 1 / 3
"""
    subprocess.run([python, "-W", "error", "-c", code], env=environment, check=True, cwd=tmp_path)
