"""What is looked at before a GPU is measured; here on the CPU, with what the tests have."""

import pytest

from benchmarks import ready
from switchseg.norms.operator import addresses, native

pytestmark = pytest.mark.skipif(
    None in (native.functions, addresses._read), reason="no compiler when the package was installed"
)


def test_all_is_there(capsys):
    assert ready.main("cpu") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ready"


def test_what_is_missing_is_named(capsys, monkeypatch):
    monkeypatch.setattr(ready, "MODULES", ("json", "no_such_module"))
    monkeypatch.setattr(native, "functions", None)
    assert ready.main("cpu") == 1
    missing = capsys.readouterr().out.splitlines()[-2:]
    assert missing[0] == "no_such_module cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"
    assert missing[1].startswith("_native.so is not there")
