"""The libraries that the integrations are for, where they are installed, and what docs/integrations.md says of each."""

import re
import warnings
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "integrations.md"


def host(name):
    """Import a library, whose own warnings are not ours, or skip the test module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed")


def run_snippets(heading):
    """Run the blocks of Python below a heading of the page, and return what they define."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    text = next(part for part in section if part.splitlines()[0] == heading)
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, f"{PAGE.name}: {heading}", "exec"), names)
    return names


def train_step(model, images, optimizer, loss=lambda y: y.square().mean()):
    """Take one step, and return which parameters it moved."""
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    loss(model.train()(images)).backward()
    optimizer.step()
    return {name for name, parameter in model.named_parameters() if not parameter.equal(before[name])}
