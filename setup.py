"""Builds the CPU kernels of the layer; everything else about the package is in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

SOURCES = "src/switchseg/norms/csrc"

# Loaded with ctypes: it needs neither Python's headers nor torch's. Optional, since torch's own operators can stand in.
kernels = Extension(
    "switchseg.norms._native",
    [f"{SOURCES}/native.cpp"],
    depends=sorted(map(str, Path(SOURCES).glob("*.h"))),
    extra_compile_args=["-std=c++17", "-O3", "-fno-math-errno", "-fopenmp"],
    extra_link_args=["-fopenmp"],
    optional=True,
)

setup(ext_modules=[kernels])
