"""Damage files without end and see that every reader answers: python -m tests.fuzz.fuzz --inputs 10000 --seed 0.

Each reader works in a process of its own, which is watched from outside for hangs, memory and its death. An input that
is not answered is kept in a folder whose name is printed. The exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchseg.errors import UserError
from tests.fuzz.mutate import mutate
from tests.fuzz.readers import READERS

MOST_SECONDS = 10.0
MOST_BYTES = 2 << 30


@dataclass
class Findings:
    """What became of the inputs of one reader."""

    read: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    """Kind and place of every input that was not answered."""
    seconds: float = 0.0
    """Longest time of one input."""
    memory: int = 0
    """Largest resident memory of the process, in bytes."""


class Example:
    """A whole example of a reader in a folder, which can be damaged and is whole again for the next input."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.reader = name, READERS[name]
        self.folder, self.outside = folder / "in", folder / "outside"
        self.folder.mkdir(parents=True)
        self.outside.mkdir()
        self.whole = {path: path.read_bytes() for path in self.reader.make(self.folder)}
        self.reader.read(self.folder)

    def damage(self, seed: int, index: int) -> Path:
        """Write input `index` of `seed`; the same numbers give the same input."""
        rng = random.Random(f"{self.name} {seed} {index}")
        for path, content in self.whole.items():
            path.write_bytes(content)
        path = rng.choice(list(self.whole))
        path.write_bytes(mutate(self.whole[path], rng))
        return path

    def answer(self) -> str:
        """Read the damaged example; return "read" or "refused", or why it is not answered."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.reader.read(self.folder)
        except UserError as error:
            return "refused" if "\n" not in str(error) else f"a line of several: {error}"
        except BaseException:
            return traceback.format_exc()
        return "read"

    def strays(self) -> list[str]:
        """Return the files that lie where nothing may be written."""
        return sorted(os.listdir(self.outside))


def in_process(name: str, folder: Path, seed: int, inputs: int) -> Findings:
    """Give a reader some inputs in this process."""
    example, findings = Example(name, folder), Findings()
    for index in range(inputs):
        example.damage(seed, index)
        began = time.monotonic()
        _count(findings, example.answer(), name, seed, index)
        findings.seconds = max(findings.seconds, time.monotonic() - began)
    findings.failures += [f"a file outside: {stray}" for stray in example.strays()]
    return findings


def _count(findings: Findings, answer: str, name: str, seed: int, index: int) -> None:
    if answer == "read":
        findings.read += 1
    elif answer == "refused":
        findings.refused += 1
    else:
        findings.failures.append(f"{name} {seed} {index}: {answer}")


def _work(name: str, folder: Path, seed: int, start: int, end: int, index: Any, answers: Any) -> None:
    """Give a reader the inputs start .. end - 1, telling before each which it is."""
    example = Example(name, folder)
    for variable in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        os.environ[variable] = str(example.outside)
    os.chdir(example.outside)
    for current in range(start, end):
        example.damage(seed, current)
        index.value = current
        answers.put((current, example.answer()))
    for stray in example.strays():
        answers.put((end, f"a file outside: {stray}"))
    index.value = end


def watched(name: str, seed: int, inputs: int, kept: Path) -> Findings:
    """Give a reader inputs in processes that are watched; one that hangs, swells or dies is followed by another."""
    context = multiprocessing.get_context("spawn")
    findings, start = Findings(), 0
    while start < inputs:
        with tempfile.TemporaryDirectory() as folder:
            index, answers = context.Value("q", -1), context.Queue()
            arguments = (name, Path(folder) / "example", seed, start, inputs, index, answers)
            process = context.Process(target=_work, args=arguments)
            process.start()
            fault = _watch(process, index, answers, findings, (name, seed, inputs))
            if fault is None:
                return findings
            start = max(index.value, start) + 1
            findings.failures.append(f"{name} {seed} {start - 1}: {fault}")
            shutil.copytree(Path(folder) / "example" / "in", kept / f"{name}-{seed}-{start - 1}", dirs_exist_ok=True)
    return findings


def _watch(process: Any, index: Any, answers: Any, findings: Findings, source: tuple[str, int, int]) -> str | None:
    """Collect answers until the process ends; return what was wrong with it."""
    name, seed, inputs = source
    current, since = index.value, time.monotonic()
    while True:
        alive = process.is_alive()
        for number, answer in _drained(answers):
            _count(findings, answer, name, seed, number)
        if not alive:
            return None if process.exitcode == 0 else f"the process died ({process.exitcode})"
        if index.value != current:
            current, since = index.value, time.monotonic()
        findings.memory = max(findings.memory, _memory(process.pid))
        seconds = time.monotonic() - since
        at_work = 0 <= current < inputs  # neither starting nor ending
        if at_work:
            findings.seconds = max(findings.seconds, seconds)
        hangs = at_work and seconds > MOST_SECONDS
        if hangs or findings.memory > MOST_BYTES:
            process.kill()
            process.join()
            return f"over {MOST_SECONDS:.0f} s" if hangs else "over 2 GiB"
        time.sleep(0.05)


def _drained(answers: Any) -> Iterator[tuple[int, str]]:
    while not answers.empty():
        yield answers.get()


def _memory(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 if "VmHWM:" in status else 0


def main() -> int:
    """Run all readers, or those that are named, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged files, shared by the readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", nargs="*", default=list(READERS), choices=list(READERS))
    options = parser.parse_args()
    kept = Path(tempfile.mkdtemp(prefix="fuzz-"))
    failed = 0
    print(
        f"{'reader':<18} {'inputs':>7} {'read':>7} {'refused':>8} {'failed':>7} {'longest, s':>11} {'memory, MB':>11}"
    )
    for name in options.readers:
        found = watched(name, options.seed, -(-options.inputs // len(options.readers)), kept)
        failed += len(found.failures)
        numbers = f"{found.read:>7} {found.refused:>8} {len(found.failures):>7}"
        total = found.read + found.refused + len(found.failures)
        print(f"{name:<18} {total:>7} {numbers} {found.seconds:>11.1f} {found.memory / 1e6:>11.0f}", flush=True)
        kinds = Counter(failure.strip().splitlines()[-1][:200] for failure in found.failures)
        for kind, count in kinds.most_common():
            example = next(f for f in found.failures if f.strip().splitlines()[-1][:200] == kind)
            print(f"  {count} x {kind}\n    first: {example.splitlines()[0][:120]}", flush=True)
    if any(kept.iterdir()):
        print(f"inputs that hung, swelled or killed: {kept}")
    else:
        kept.rmdir()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
