import subprocess
import sys

from switchseg.models.config import ModelConfig
from switchseg.models.decoders import parse_decoder
from switchseg.norms import NORMS


def test_the_config_loads_no_torch() -> None:
    code = "import sys, switchseg.models.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_default_is_the_network_of_2018() -> None:
    config = ModelConfig()
    assert (config.encoder, parse_decoder(config.decoder), config.norm) == ("resnet50_dilated8", ("c1", True), "sn")
    assert config.norm in NORMS
