"""Print the peak memory in MiB that forward and backward of one norm need besides input and output gradient.

Run by `benchmarks.norms` in a process of its own: `python -m benchmarks.norms_memory NORM DEVICE DTYPE LAST SHAPE...`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.norms import make_input, make_pass, variants


def main(variant: str, device: str, dtype: str, channels_last: str, *shape: str) -> None:
    """Run one pass to warm up, and measure the next."""
    sizes = [int(size) for size in shape]
    x, grad = (make_input(sizes, channels_last == "True", dtype, device) for _ in range(2))
    both = make_pass(variants(len(sizes))[variant](sizes[1]).to(device), x, grad, "forward+backward")
    both()
    x.grad = None
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        both()
        print((torch.cuda.max_memory_allocated() - before) / 2**20)
        return
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again at what is resident now
    before = _status("VmRSS")
    both()
    print((_status("VmHWM") - before) / 2**10)


def _status(key: str) -> int:
    """Return a line of /proc/self/status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    main(*sys.argv[1:])
