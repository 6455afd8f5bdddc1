"""`switchseg bench norms`, at the smallest size, without its gate of parity tests."""

import pytest

from benchmarks import norms
from switchseg.errors import UserError


def test_rows_compare_every_norm_with_batch_norm():
    options = norms.Arguments(threads=1, rounds=1)
    rows = norms._measure(options, (2, 32, 6, 5))
    assert {(row["variant"], row["measure"]) for row in rows} == {
        (variant, name) for variant in norms.VARIANTS for name in norms.PASSES
    }
    assert all(float(row["median"]) > 0 for row in rows)
    assert all(float(row["ratio"]) == 1 for row in rows if row["variant"] == "bn")


@pytest.mark.parametrize(("stride", "shapes"), [(32, 12), (8, 9)])
def test_shapes_are_those_of_resnet50(stride, shapes):
    stages = norms._STAGES[stride]
    assert len(stages) == shapes
    assert sum(count for *_, count in stages) == 53


def test_a_red_test_means_no_number(monkeypatch, tmp_path):
    (tmp_path / "tests" / "norms").mkdir(parents=True)
    for name in ("test_fused.py", "test_modules.py"):
        (tmp_path / "tests" / "norms" / name).write_text("def test_parity():\n    assert False\n")
    monkeypatch.setattr(norms, "_REPOSITORY", tmp_path)
    with pytest.raises(UserError, match=r"no measurement: the parity tests in tests/norms fail \(1 failed"):
        norms.run(["--no-save"])
