"""Blocks of YAML say what the program reads: configs with settings that exist, and all keys of `dataset.yaml`."""

import dataclasses
import shutil

import pytest
import yaml

from switchseg.config.schema import RunConfig
from switchseg.config.yaml import load
from switchseg.data.description import Description
from tests.docs.pages import PAGES, REPOSITORY, blocks

CONFIGS = ["training.md", "losses.md", "data.md"]


@pytest.mark.parametrize("page", CONFIGS)
def test_configs_can_be_read(page, tmp_path):
    shutil.copy(REPOSITORY / "configs" / "quickstart.yaml", tmp_path / "camvid.yaml")  # a base that a page names
    (tmp_path / "config.yaml").write_text(blocks(REPOSITORY / "docs" / page, "yaml")[-1])
    assert load(tmp_path / "config.yaml", RunConfig) != RunConfig()


def test_the_page_on_data_shows_every_key_of_a_description():
    shown = yaml.safe_load(blocks(REPOSITORY / "docs" / "data.md", "yaml")[0])
    assert set(shown) == {field.name for field in dataclasses.fields(Description)}


def test_there_are_no_other_blocks():
    counts = {page.name: len(found) for page in PAGES if (found := blocks(page, "yaml"))}
    # A part of a pod for Kubernetes, and a config with the names of plugins, which test_extending uses.
    assert counts == {"cluster.md": 1, "data.md": 2, "extending.md": 1, "losses.md": 1, "training.md": 1}
