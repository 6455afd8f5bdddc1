"""Launching in one call: what the driver is told, without a device; the same results, on one."""

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest
import torch

from switchseg.norms.library import load_functions

HERE = Path(__file__).parent
NORMS = HERE.parents[2] / "src" / "switchseg" / "norms"


def missing():
    """Say what keeps Triton from building its launcher here, "" if nothing does."""
    if find_spec("triton") is None:
        return "needs triton"
    if shutil.which("gcc") is None:
        return "needs gcc"
    return "" if Path(sysconfig.get_path("include"), "Python.h").exists() else "needs Python's headers"


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    """Build the stub driver and return its directory."""
    if reason := missing():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("stub")
    library = directory / "libcuda.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, HERE / "stub_driver.c"], check=True)
    return directory


def test_the_driver_is_told_the_same_as_by_triton(stub, tmp_path):
    paths = {"LD_LIBRARY_PATH": stub, "TRITON_LIBCUDA_PATH": stub, "TRITON_CACHE_DIR": tmp_path}
    environment = os.environ | {name: str(path) for name, path in paths.items()} | {"CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-m", "tests.norms.operator.stubbed_launches", stub], env=environment, check=True)


def test_the_interpreter_gets_tensors():
    if find_spec("triton") is None:
        pytest.skip("needs triton")
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-m", "tests.norms.operator.launched_kernels"], env=environment, check=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_both_launchers_compute_the_same_on_a_device():
    from switchseg.norms.operator.launches import LaunchSequence
    from tests.norms.operator.launched_kernels import POINTERS, STEPS, addresses_of, assert_computed, tensors_on

    expected, *others = (tensors_on("cuda") for _ in range(4))
    sequence = LaunchSequence(STEPS, POINTERS, torch.cuda.current_device())
    assert sequence.obstacle == ""
    sequence.launch_by_triton(*addresses_of(expected))
    assert_computed(expected)

    def launch(tensors):
        sequence(torch.cuda.current_stream().cuda_stream, *addresses_of(tensors))

    launch(others[0])
    thread = Thread(target=launch, args=(others[1],))  # has no context yet
    thread.start()
    thread.join()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        launch(others[2])
    graph.replay()
    for tensors in others:
        assert all(torch.equal(tensors[name], expected[name]) for name in POINTERS)


def test_a_library_with_structs_of_another_size_is_not_loaded():
    arguments = {"find_driver": []}
    if load_functions(NORMS / "_launch", 1, arguments) is None:
        pytest.skip("the library was not built")
    assert load_functions(NORMS / "_launch", 1, arguments, {"call": 16})
    assert load_functions(NORMS / "_launch", 1, arguments, {"call": 24}) is None
    assert load_functions(NORMS / "_launch", 1, arguments, {"unknown": 16}) is None
