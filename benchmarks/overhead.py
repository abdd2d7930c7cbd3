"""What the watch costs in time and memory, and what others cost that look on at the same work.

    make bench                                             # some twenty minutes
    python -m benchmarks.overhead --works encoder --rivals auto every --rounds 3

Each is measured in a process of its own, in which watched and unwatched blocks alternate. Prints a table and writes
`build/reports/overhead.json`. Nothing fails: it tells what is so.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.cost.loading import WAYS, seconds
from benchmarks.cost.measuring import Spread
from benchmarks.cost.rivals import CONTROL, RIVALS
from benchmarks.cost.table import table
from benchmarks.cost.works import WORKS

from torchtwin.kernel.budget import SHARE

SECONDS = {"shapes": 2.0, "auto": 3.0, "every": 1.0}
"""Of a block. In mode `auto` a watch must last until it has earned what the first calls cost; 0.3 for all others."""
IN_MEMORY = ("encoder", "mlp")


def asked_for(module: str, *arguments: str) -> Any:
    """What a module of `benchmarks.cost` says in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.cost.{module}", *arguments], capture_output=True, text=True
    )
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["?"])[-1][:200]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def steps(work: str, rivals: Iterable[str], rounds: int, share: float) -> dict[str, Any]:
    found = {}
    for rival in rivals:
        print(f"  {work}: {rival}", file=sys.stderr, flush=True)
        length = SECONDS.get(rival, 0.3) * share
        found[rival] = asked_for("measuring", work, rival, "--rounds", str(rounds), "--seconds", str(length))
    return found


def memory(work: str, times: int) -> dict[str, Any]:
    """The median of each figure, of several processes that take turns."""
    told: dict[str, list[Any]] = {rival: [] for rival in (CONTROL, "auto", "every")}
    for _ in range(times):
        for rival, figures in told.items():
            figures.append(asked_for("memory", work, rival))
    return {
        rival: {name: statistics.median(it[name] for it in figures) for name in figures[0]}
        for rival, figures in told.items()
    }


def loading(way: str, times: int) -> dict[str, Any]:
    both = [seconds(way) for _ in range(times + 1)][1:]  # the first run may compile
    return {name: asdict(Spread.of(it)) for name, it in zip(("wall", "cpu"), zip(*both, strict=True), strict=True)}


def main() -> int:
    parser = argparse.ArgumentParser(description="What the watch costs.")
    parser.add_argument("--works", nargs="*", choices=WORKS, default=list(WORKS))
    parser.add_argument("--rivals", nargs="*", choices=RIVALS, default=list(RIVALS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual length of a block")
    parser.add_argument("--processes", type=int, default=5, help="for memory and for loading; 0: leave them out")
    parser.add_argument("--json", type=Path, default=Path("build/reports/overhead.json"))
    asked = parser.parse_args()
    found = {
        "budget": SHARE,
        "works": {work: steps(work, asked.rivals, asked.rounds, asked.share) for work in asked.works},
        "memory": {work: memory(work, asked.processes) for work in IN_MEMORY if asked.processes},
        "loading": {way: loading(way, asked.processes) for way in WAYS if asked.processes},
    }
    print(table(found))
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
