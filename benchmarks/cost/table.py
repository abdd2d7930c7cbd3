"""What was measured, beside what is wanted: for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.cost.rivals import CONTROL, OURS

WANTED = {
    ("single", "shapes"): 1.15,
    ("single", "auto"): 1.25,
    ("encoder", "shapes"): 1.01,
    ("encoder", "auto"): 1.03,
    ("encoder", "every"): 1.12,
    ("mlp", "auto"): 1.05,
}
"""Ratios of a step's time to that of an unwatched one."""
WANTED_LOADING = {"import torchtwin": 0.030, "%load_ext torchtwin": 0.010, "%load_ext torchtwin, torch imported": 0.010}
WANTED_GROWTH = 0.02
"""Of the peak memory of a training step."""
HEAD = """\
Torch with 1 thread. Ratios of time on the processor to that of the unwatched blocks of the same round, which
alternate with the watched: the median (from quartile to quartile). In a block's first step all is new: `all` has it."""


def table(found: dict[str, Any]) -> str:
    lines = [HEAD]
    for work, rivals in found["works"].items():
        lines += ["", *_steps(work, rivals)]
    lines += ["", *_promise(found), "", *_memory(found["memory"]), "", *_loading(found["loading"])]
    return "\n".join(lines)


def _steps(work: str, rivals: dict[str, Any]) -> Iterator[str]:
    first = next((it for it in rivals.values() if "work" in it), None)
    if first is None:
        return
    yield f"{first['work']}: {1e6 * first['plain']:,.1f} us a step unwatched, {first['calls']} calls of F.linear"
    ratios = "".join(f"{of:24}" for of in ("all", "by the clock", "later steps"))
    yield f"  {'':28}{'wanted':>8}  {ratios}{'first step':>12}{'a later call':>14}"
    for rival, it in rivals.items():
        name = f"torchtwin, {rival}" if rival in OURS else rival
        if "work" not in it:
            yield f"  {name:28}{_absence(it)}"
            continue
        wanted = WANTED.get((work, rival))
        ratios = "".join(f"{_spread(it[of]):24}" for of in ("cpu", "wall", "later"))
        added = f"{1e3 * it['first']:+9,.1f} ms{1e6 * it['added']:+11,.1f} us"
        yield f"  {name:28}{'' if wanted is None else f'{wanted:.2f}':>8}  {ratios}{added}"


def _absence(it: dict[str, Any]) -> str:
    return f"not measured: {it['missing']} is not installed" if "missing" in it else f"not measured: {it['failed']}"


def _spread(it: dict[str, float]) -> str:
    digits = 2 if it["median"] < 100 else 0
    return f"{it['median']:.{digits}f} ({it['lower']:.{digits}f} to {it['upper']:.{digits}f})"


def _promise(found: dict[str, Any]) -> Iterator[str]:
    yield f"Mode auto promises {found['budget']:.0%} of the running time"
    for rivals in found["works"].values():
        it = rivals.get("auto", {})
        if it.get("told") is not None:
            yield f"  {it['work']:76} it tells {it['told']:.1%}, measured {it['whole'] - 1:.1%}"


def _memory(memory: dict[str, Any]) -> Iterator[str]:
    yield f"Memory of a training step (wanted: the peak grows by at most {WANTED_GROWTH:.0%})"
    for work, rivals in memory.items():
        plain = rivals[CONTROL]
        step = plain["peak"] - plain["before"]
        for mode in (it for it in rivals if it != CONTROL):
            it = {key: rivals[mode][key] - plain[key] for key in plain}
            yield (
                f"  {work}, {mode}: peak {it['peak'] / plain['peak']:+.1%} of the process, {it['peak'] / step:+.1%} of"
                f" the {_mib(step)} of the step; held after it: {rivals[mode]['outputs_left']} of"
                f" {plain['outputs']} outputs, {it['tensors']:.0f} copies of {_mib(it['tensor_bytes'])};"
                f" Python: {_mib(it['python_peak'])} at most, {_mib(it['python_after'])} of records"
            )


def _mib(size: float) -> str:
    return f"{size / 2**20:.1f} MiB"


def _loading(loading: dict[str, Any]) -> Iterator[str]:
    yield "Loading, in fresh processes (time on the processor; by the clock)"
    for way, it in loading.items():
        wanted = f"wanted {1e3 * WANTED_LOADING[way]:.0f} ms"
        cpu, wall = (it[of] for of in ("cpu", "wall"))
        yield f"  {way:36} {wanted}, measured {_ms(cpu)}; {_ms(wall)}"


def _ms(it: dict[str, float]) -> str:
    return f"{1e3 * it['median']:.1f} ms ({1e3 * it['lower']:.1f} to {1e3 * it['upper']:.1f})"
