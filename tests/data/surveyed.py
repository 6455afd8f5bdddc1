"""Small data sets, and what check-data says of them."""

from switchseg.data.check import inspect
from switchseg.data.datasets import open_dataset
from switchseg.data.findings import Findings
from switchseg.data.likely_mistakes import advise
from tests.data.trees import picture, save


def write(root, labels, description="classes: [a, b, c]", suffix="png"):
    root.mkdir(exist_ok=True)
    (root / "dataset.yaml").write_text(description)
    for number, label in enumerate(labels):
        save(root / f"images/train/{number}.png", picture(number, *label.shape[:2]))
        save(root / f"masks/train/{number}.{suffix}", label)
    return open_dataset("folder", root, "train")


def check(dataset, workers=1):
    found = Findings()
    for part in inspect(dataset, workers):
        found.add(part)
    return found


def hints(dataset):
    return {advice.seen: advice.setting for advice in advise(check(dataset), dataset.meaning)}


def only(dataset):
    ((seen, setting),) = hints(dataset).items()
    return seen, setting
