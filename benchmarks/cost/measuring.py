"""One rival at one work: its blocks of steps alternate with blocks that nobody watches, in one process of their own.

python -m benchmarks.cost.measuring encoder auto --rounds 7 --seconds 2
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from benchmarks.cost.rivals import CONTROL, RIVALS, Rival, missing
from benchmarks.cost.works import WORKS, Work, linear_calls

import torchtwin


@dataclass(frozen=True)
class Block:
    """Seconds that each step took, by the clock and on the processor: others may keep the machine busy."""

    wall: float
    cpu: float
    later: float
    """On the processor, without the first step, in which all is new."""
    first: float
    """On the processor."""


@dataclass(frozen=True)
class Spread:
    """The middle half of some numbers."""

    median: float
    lower: float
    upper: float

    @staticmethod
    def of(numbers: Sequence[float]) -> Spread:
        lower, median, upper = statistics.quantiles(numbers, n=4, method="inclusive") if numbers[1:] else numbers * 3
        return Spread(median, lower, upper)


@dataclass(frozen=True)
class Measured:
    """Ratios of a step's time to that of the unwatched blocks of the same round."""

    work: str
    calls: int
    """Of `F.linear` in a step."""
    steps: int
    """In a block."""
    rounds: int
    plain: float
    """Seconds on the processor that an unwatched step takes."""
    cpu: Spread
    wall: Spread
    later: Spread
    """On the processor, without the first step of each block."""
    first: float
    """Seconds on the processor that the first step of a block takes longer."""
    added: float
    """Seconds on the processor for each later call of `F.linear`."""
    whole: float
    """The ratio of all watched blocks together."""
    told: float | None
    """By how much our own books say that we slowed the work down: 0.03 for 3 %."""


def block(work: Work, rival: Rival, steps: int) -> Block:
    """Without the time that it takes to begin and to end."""
    with rival(work) as forward:
        wall, began = time.perf_counter(), time.process_time()
        work.run(forward, 1)
        first = time.process_time()
        work.run(forward, steps - 1)
        ended = time.process_time()
        wall = time.perf_counter() - wall
    later = (ended - first) / (steps - 1) if steps > 1 else ended - began
    return Block(wall / steps, (ended - began) / steps, later, first - began)


def steps_in(work: Work, rival: Rival, seconds: float) -> int:
    """As many as fill a block, at least two; the first run warms up."""
    steps = 2
    block(work, rival, steps)
    while (took := block(work, rival, steps).cpu) * steps < seconds / 10:
        steps *= 4
    return min(max(2, math.ceil(seconds / took)), work.steps or sys.maxsize)


def measure(work: Work, rival: Rival, rounds: int, seconds: float) -> Measured:
    nobody = RIVALS[CONTROL]
    if (calls := linear_calls(work)) != work.calls:
        raise AssertionError(f"{work.name}: {calls} calls of F.linear in a step, not {work.calls}")
    blocks: dict[Rival, list[Block]] = {nobody: [], rival: []}
    by_rival = list(blocks) if rival is not nobody else [nobody, nobody]
    steps = {by: steps_in(work, by, seconds) for by in blocks}
    told = None
    for turn in range(rounds + 1):  # of which the first warms up
        for by in by_rival[:: (-1) ** turn]:
            blocks[by].append(block(work, by, steps[by]))
            told = _told() or told
            torchtwin.clear()
    plain, watched = blocks[nobody][1:], blocks[rival][1:]
    if rival is nobody:
        plain, watched = blocks[nobody][2::2], blocks[nobody][3::2]

    def ratio(of: Callable[[Block], float]) -> Spread:
        return Spread.of([of(w) / of(p) for w, p in zip(watched, plain, strict=True)])

    unwatched = statistics.median(it.later for it in plain)
    return Measured(
        work=work.name,
        calls=calls,
        steps=steps[rival],
        rounds=rounds,
        plain=unwatched,
        cpu=ratio(lambda it: it.cpu),
        wall=ratio(lambda it: it.wall),
        later=(later := ratio(lambda it: it.later)),
        first=statistics.median(it.first for it in watched) - statistics.median(it.first for it in plain),
        added=(later.median - 1) * unwatched / calls,
        whole=sum(it.cpu for it in watched) / sum(it.cpu for it in plain),
        told=told,
    )


def _told() -> float | None:
    """Of all blocks so far, and of nothing but them: the books stand still where nobody watches."""
    from torchtwin.kernel.session import session  # whose books begin where it is first imported, which is by a watch

    cost = session.state().cost
    return cost.spent / cost.running if cost is not None and cost.running else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("rival", choices=RIVALS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if (lacking := missing(asked.rival)) is not None:
        print(json.dumps({"missing": lacking}))
        return
    measured = measure(WORKS[asked.work](), RIVALS[asked.rival], asked.rounds, asked.seconds)
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
