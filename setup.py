"""Builds what is compiled, and what a package holds besides `src`; everything else about it is in pyproject.toml."""

import os
import re
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

# Where the sources are published, say https://github.com/OWNER/NAME: whoever builds for a package index says it.
REPOSITORY = os.environ.get("SWITCHSEG_REPOSITORY", "").rstrip("/")
NORMS, METRICS = "src/switchseg/norms/csrc", "src/switchseg/metrics/csrc"
FLAGS, STRIPPED = ["-std=c++17", "-O3"], ["-Wl,-s"]

# Loaded with ctypes: they need neither Python's headers nor torch's. Optional, since torch's operators can stand in.
kernels = Extension(
    "switchseg.norms._native",
    [f"{NORMS}/native.cpp"],
    depends=sorted(map(str, Path(NORMS).glob("*.h"))),
    extra_compile_args=[*FLAGS, "-fno-math-errno", "-fopenmp"],
    extra_link_args=["-fopenmp", *STRIPPED],
    optional=True,
)
launches = Extension(
    "switchseg.norms._launch",
    [f"{NORMS}/launch.cpp"],
    extra_compile_args=FLAGS,
    extra_link_args=STRIPPED,
    libraries=["dl"],
    optional=True,
)
addresses = Extension(
    "switchseg.norms._addresses",
    [f"{NORMS}/addresses.cpp"],
    extra_compile_args=FLAGS,
    extra_link_args=STRIPPED,
    optional=True,
)
pairs = Extension(
    "switchseg.metrics._pairs",
    [f"{METRICS}/pairs.cpp"],
    extra_compile_args=FLAGS,
    extra_link_args=STRIPPED,
    optional=True,
)


class Libraries(build_ext):
    """Plain libraries: one file for every Python, without an entry point for `import`."""

    def get_ext_filename(self, fullname):
        """Return a name without the version of Python."""
        return str(Path(*fullname.split("."))) + ".so"

    def get_export_symbols(self, ext):
        """Return what the library itself names, not `PyInit_...`."""
        return ext.export_symbols


class Wheel(bdist_wheel):
    """A wheel for every Python 3 of a platform."""

    def get_tag(self):
        """Return the tag of the platform, for every interpreter."""
        return "py3", "none", super().get_tag()[2]


class Package(build_py):
    """The sources, and the configs that commands find by their names."""

    def run(self):
        """Copy both; an editable installation has the checkout."""
        super().run()
        if not self.editable_mode:
            shutil.copytree("configs", Path(self.build_lib, "switchseg", "configs"), dirs_exist_ok=True)


def page():
    """Return the README, with addresses that hold outside the repository where it is known."""
    text = Path("README.md").read_text(encoding="utf-8")
    if not REPOSITORY:
        return text
    text = re.sub(r'(src|srcset)="(?!https?:)', rf'\1="{REPOSITORY}/raw/main/', text)
    return re.sub(r"\]\((?!https?:|#)", f"]({REPOSITORY}/blob/main/", text)


setup(
    ext_modules=[kernels, launches, addresses, pairs],
    cmdclass={"bdist_wheel": Wheel, "build_ext": Libraries, "build_py": Package},
    long_description=page(),
    long_description_content_type="text/markdown",
    project_urls={
        "Paper": "https://arxiv.org/abs/1806.10779",
        **({"Repository": REPOSITORY, "Changelog": f"{REPOSITORY}/blob/main/CHANGELOG.md"} if REPOSITORY else {}),
    },
)
