"""What watching holds: some steps in a process of their own, watched or not.

python -m benchmarks.cost.memory encoder auto
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import tracemalloc
import weakref
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from benchmarks.cost.rivals import CONTROL, OURS, RIVALS
from benchmarks.cost.works import WORKS, Forward, Work
from torch import Tensor, nn

import torchtwin

STEPS = 4


@dataclass(frozen=True)
class Held:
    """Of one process, in bytes."""

    peak: int
    """Resident at most, while the steps ran."""
    before: int
    """Resident before the work was made."""
    python_peak: int
    """Allocated by Python at most, in one more step."""
    python_after: int
    """Of that, what is left after the step: the records, where it was watched."""
    tensors: int
    """How many are left after a step."""
    tensor_bytes: int
    outputs: int
    """Of the modules in a step."""
    outputs_left: int
    """Of those, how many are left after it."""


def resident(which: str) -> int:
    """`VmRSS`: now. `VmHWM`: at most, since the last call of `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(it.split()[1]) for it in lines if it.startswith(f"{which}:"))


def forget_peak() -> None:
    with contextlib.suppress(OSError):  # where it may not be written, the peak is that of the whole process
        Path("/proc/self/clear_refs").write_text("5")


@contextlib.contextmanager
def outputs() -> Iterator[list[weakref.ref[Tensor]]]:
    """Of all modules that run meanwhile."""
    seen: list[weakref.ref[Tensor]] = []
    handle = nn.modules.module.register_module_forward_hook(lambda *it: seen.append(weakref.ref(it[-1])))
    try:
        yield seen
    finally:
        handle.remove()


def tensors() -> list[Tensor]:
    gc.collect()
    return [it for it in gc.get_objects() if issubclass(type(it), Tensor)]


def warm_up() -> None:
    """What is loaded once, watched or not, is no cost of a step."""
    for width in (4, 784):  # checked in full, and by a probe
        with torchtwin.watch("every"):
            nn.Linear(width, width)(torch.ones(64, width)).sum().backward()
    torchtwin.clear()


def hold(make: Any, rival: str) -> Held:
    warm_up()
    gc.collect()
    before = resident("VmRSS")
    work: Work = make()
    forget_peak()
    with RIVALS[rival](work) as forward:
        work.run(forward, STEPS)
        peak = resident("VmHWM")
        return _after(work, forward, peak, before)


def _after(work: Work, forward: Forward, peak: int, before: int) -> Held:
    with outputs() as seen:
        work.run(forward, 1)
    left = tensors()
    stored = [it.untyped_storage() for it in left if it.layout == torch.strided and not it.is_nested]
    storages = {it.data_ptr(): it.nbytes() for it in stored}
    outputs_left = sum(it() is not None for it in seen)
    tracemalloc.start()
    work.run(forward, 1)
    gc.collect()
    python_after, python_peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Held(peak, before, python_peak, python_after, len(left), sum(storages.values()), len(seen), outputs_left)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("rival", choices=[CONTROL, *OURS])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(json.dumps(asdict(hold(WORKS[asked.work], asked.rival))))


if __name__ == "__main__":
    main()
