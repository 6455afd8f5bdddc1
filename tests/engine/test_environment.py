import pytest

from switchseg.engine.environment import describe_environment
from switchseg.norms.operator.backends import BACKENDS
from tests.engine.steps import make_training


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_says_what_computes_its_norms_and_why(precision):
    found = describe_environment(make_training(norm="sn", precision=precision), images=4)["environment"]
    backend, _, reason = found["norm_backend"].partition(": ")
    assert backend in BACKENDS
    assert reason
    other = describe_environment(make_training(norm="bn", precision=precision), images=4)["environment"]
    assert "norm_backend" not in other
