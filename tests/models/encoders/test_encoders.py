"""Names of encoders, read without torch."""

import subprocess
import sys

import pytest
import timm

from switchseg.errors import UserError
from switchseg.models.encoders import ALIASES, LISTED, parse_encoder


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("resnet50_dilated8", ("resnet50", 8)),
        ("resnet50dilated", ("resnet50s", 8)),
        ("hrnetv2", ("hrnetv2", 32)),
        ("vit_base_patch16_224.augreg_in21k_dilated16", ("vit_base_patch16_224.augreg_in21k", 16)),
    ],
)
def test_a_name_is_a_network_and_a_stride(name: str, parsed: tuple[str, int]) -> None:
    assert parse_encoder(name) == parsed


def test_all_names_have_the_form_of_one() -> None:
    for name in (*LISTED, *ALIASES, *timm.list_models(), *timm.list_pretrained()):
        assert parse_encoder(name)[0]


@pytest.mark.parametrize("name", ["", "_dilated8", "resnet50_dilated4", "x_dilated", "hf-hub:a/b", "../x", "a b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="^model[.]encoder: .* is no name of an encoder; [^\n]*$"):
        parse_encoder(name, "model.encoder")


def test_names_are_read_without_torch() -> None:
    code = "import sys; from switchseg.models.encoders import *; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
