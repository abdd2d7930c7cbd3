"""The parts of the benchmark run, and count what they say they count. Nothing is timed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from benchmarks import overhead
from benchmarks.cost import loading, measuring, memory, rivals
from benchmarks.cost.works import WORKS, Forward, Work, encoder, linear_calls, mlp, single

import torchtwin
from torchtwin.kernel.session import session

SMALL = {"single": single, "encoder": lambda: encoder(layers=2, width=16, batch=2, length=3), "mlp": lambda: mlp(2)}
SPREAD = {"median": 1.18, "lower": 1.16, "upper": 1.21}
STEP = {
    "work": "12-layer encoder",
    "calls": 73,
    "plain": 0.5,
    "first": 0.04,
    "added": 1e-6,
    "whole": 1.034,
    "told": 0.031,
}
MEASURED = {**STEP, "cpu": SPREAD, "wall": SPREAD, "later": SPREAD}


def test_the_encoder_makes_73_linear_calls_in_a_step() -> None:
    assert WORKS["encoder"]().calls == 73


@pytest.mark.parametrize("work", SMALL)
def test_each_work_makes_as_many_linear_calls_as_it_says_and_f_linear_is_as_before(work: str) -> None:
    before = F.linear
    made = SMALL[work]()
    assert linear_calls(made) == made.calls
    assert F.linear is before


def test_a_work_that_makes_other_calls_than_it_says_is_not_measured() -> None:
    work = dataclasses.replace(single(), calls=2)
    with pytest.raises(AssertionError, match=r"1 calls of F\.linear in a step, not 2"):
        measuring.measure(work, rivals.nobody, rounds=1, seconds=1e-3)


@pytest.mark.parametrize("mode", rivals.OURS)
def test_blocks_in_our_modes_are_watched_and_the_others_are_not(mode: str) -> None:
    seen: list[tuple[str, bool]] = []
    work = SMALL["encoder"]()

    @contextlib.contextmanager
    def noted(work: Work) -> Iterator[Forward]:
        with rivals.OURS[mode](work) as forward:
            yield forward
            seen.append((session.mode, torchtwin.records() != []))

    measured = measuring.measure(work, noted, rounds=2, seconds=1e-4)
    assert set(seen) == {(mode, True)}
    assert (measured.calls, measured.rounds) == (13, 2)
    assert measured.told is not None
    assert measured.cpu.lower <= measured.cpu.median <= measured.cpu.upper
    assert not session.watching


@pytest.mark.parametrize("rival", ["empty global forward hook", "FlopCounterMode", "DebugMode"])
def test_a_peer_gives_what_the_model_gives_and_leaves_nothing_behind(rival: str) -> None:
    work = SMALL["encoder"]()
    with rivals.RIVALS[rival](work) as forward:
        assert torch.equal(forward(work.input), work.model(work.input))
    assert not torch.nn.modules.module._global_forward_hooks


def test_a_peer_that_is_not_installed_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rivals.NEEDS, "nnsight", "nnsight_that_is_not_there")
    assert rivals.missing("nnsight") == "nnsight_that_is_not_there"
    assert rivals.missing("auto") is None
    told = overhead.table({**findings(), "works": {"encoder": {"auto": MEASURED, "nnsight": {"missing": "nnsight"}}}})
    assert "not measured: nnsight is not installed" in told


def test_no_output_of_a_step_is_left_after_it_and_what_is_left_is_counted() -> None:
    held = memory.hold(SMALL["encoder"], "every")
    assert (held.outputs, held.outputs_left) == (20, 0)
    assert held.tensors > 0
    kept: list[torch.Tensor] = []
    work = SMALL["mlp"]()
    work.model[1].register_forward_hook(lambda *it: kept.append(it[-1]))
    assert memory.hold(lambda: work, rivals.CONTROL).outputs_left == 1


def test_the_time_to_load_is_taken_in_a_process_that_loads_torchtwin() -> None:
    for way, (_, timed) in loading.WAYS.items():
        assert "torchtwin" in timed, way
    assert all(it > 0 for it in loading.seconds("import torchtwin"))


def findings() -> dict[str, object]:
    plain = dataclasses.asdict(memory.Held(1000, 500, 10, 1, 5, 50, 19, 0))
    watched = dataclasses.asdict(memory.Held(1020, 500, 12, 3, 9, 70, 19, 0))
    return {
        "budget": 0.03,
        "works": {"encoder": {"auto": MEASURED}},
        "memory": {"encoder": {rivals.CONTROL: plain, "auto": watched}},
        "loading": {"import torchtwin": {"wall": SPREAD, "cpu": SPREAD}},
    }


def test_the_table_has_what_is_wanted_beside_what_was_measured() -> None:
    told = overhead.table(findings())
    assert "1.03  1.18 (1.16 to 1.21)" in told
    assert "it tells 3.1%, measured 3.4%" in told
    assert "peak +2.0% of the process, +4.0% of" in told
    assert "held after it: 0 of 19 outputs, 4 copies" in told
    assert "wanted 30 ms, measured 1180.0 ms (1160.0 to 1210.0)" in told


def test_the_benchmark_prints_the_table_writes_json_and_ends_with_0_whatever_it_finds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(overhead, "asked_for", lambda *_: {**MEASURED, "cpu": {key: 9.0 for key in SPREAD}})
    path = tmp_path / "reports" / "overhead.json"
    told = ["overhead", "--works", "encoder", "--rivals", "auto", "--processes", "0", "--json", str(path)]
    monkeypatch.setattr("sys.argv", told)
    assert overhead.main() == 0
    assert "9.00 (9.00 to 9.00)" in capsys.readouterr().out
    assert json.loads(path.read_text())["works"]["encoder"]["auto"]["calls"] == 73


def test_what_fails_in_its_process_is_told_and_fails_nothing() -> None:
    assert "invalid choice" in overhead.asked_for("measuring", "single", "somebody")["failed"]
