import json

from switchseg.classes import Classes
from switchseg.models.spec import ModelSpec
from switchseg.preprocessing import BGR


def test_a_spec_survives_json() -> None:
    spec = ModelSpec("resnet18", "c1_deepsup", "sn", Classes.named(("road", "Straße")), BGR, auxiliary=True)
    assert ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert spec.num_classes == 2
