"""Builds what is compiled; everything else about the package is in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

NORMS, METRICS = "src/switchseg/norms/csrc", "src/switchseg/metrics/csrc"
FLAGS = ["-std=c++17", "-O3"]

# Loaded with ctypes: they need neither Python's headers nor torch's. Optional, since torch's operators can stand in.
kernels = Extension(
    "switchseg.norms._native",
    [f"{NORMS}/native.cpp"],
    depends=sorted(map(str, Path(NORMS).glob("*.h"))),
    extra_compile_args=[*FLAGS, "-fno-math-errno", "-fopenmp"],
    extra_link_args=["-fopenmp"],
    optional=True,
)
launches = Extension(
    "switchseg.norms._launch", [f"{NORMS}/launch.cpp"], extra_compile_args=FLAGS, libraries=["dl"], optional=True
)
pairs = Extension("switchseg.metrics._pairs", [f"{METRICS}/pairs.cpp"], extra_compile_args=FLAGS, optional=True)

setup(ext_modules=[kernels, launches, pairs])
