"""Builds the CPU kernels of the layer; everything else about the package is in pyproject.toml."""

from setuptools import Extension, setup

# Loaded with ctypes: it needs neither Python's headers nor torch's. Optional, since torch's own operators can stand in.
kernels = Extension(
    "switchseg.norms._native",
    ["src/switchseg/norms/native.cpp"],
    extra_compile_args=["-std=c++17", "-O3", "-fno-math-errno", "-fopenmp"],
    extra_link_args=["-fopenmp"],
    optional=True,
)

setup(ext_modules=[kernels])
