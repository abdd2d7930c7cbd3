"""A small part of the court: no honest pair is called different, no planted mistake is missed."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import msgspec
import pytest
from benchmarks import court

from torchtwin.kernel.proof import enclosure
from torchtwin.kernel.proof.bounds import Arithmetic, Exact
from torchtwin.kernel.proof.enclosure import Enclosure
from torchtwin.protocol import Verdict


@pytest.fixture(scope="module")
def honest() -> dict[str, court.Row]:
    failures: list[str] = []
    found = court.honest_pairs(7, 200, failures)
    assert failures == []
    return found


def test_no_honest_pair_is_called_different_and_nearly_all_are_proven(honest: dict[str, court.Row]) -> None:
    of_layers = [row for name, row in honest.items() if "network" not in name]
    assert sum(row.pairs for row in of_layers) == 250
    assert sum(row.unchecked for row in of_layers) <= 10  # sums in pieces, in low precisions
    assert sum(row.proven + row.unchecked for row in of_layers) == 250


def test_no_honest_network_is_called_different_whatever_its_functions_and_loss(honest: dict[str, court.Row]) -> None:
    of_networks = [row for name, row in honest.items() if "network" in name]
    pairs = sum(row.pairs for row in of_networks)
    assert pairs >= 45
    assert sum(row.identical + row.rounding for row in of_networks) >= 0.7 * pairs


def test_every_planted_mistake_is_called_different_and_its_cause_is_named() -> None:
    failures: list[str] = []
    rows = court.planted(7, 360, failures).values()
    pairs = sum(row.pairs for row in rows)
    assert pairs >= 350
    assert sum(row.different for row in rows) == pairs
    assert failures == []
    assert sum(row.right_diagnosis for row in rows) >= 0.97 * pairs, [row.misnamed for row in rows]


def test_the_probe_raises_no_false_verdict_and_sees_what_it_says_it_would() -> None:
    failures: list[str] = []
    found = court.probed(7, 12, failures)
    assert failures == []
    assert (found["products"], found["honest called different"]) == (12, 0)
    assert found["missed"] <= court.allowed_misses(12)


def test_the_court_finds_a_bound_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    original = enclosure.enclosure

    def narrow(exact: Exact, how: Arithmetic) -> Enclosure | None:
        found = original(exact, how)
        return None if found is None else dataclasses.replace(found, limit=found.limit / 1000)

    for module in ("linear", "enclosure"):
        monkeypatch.setattr(f"torchtwin.kernel.proof.{module}.enclosure", narrow)
    failures: list[str] = []
    court.honest_pairs(7, 60, failures)
    assert failures != []


def test_the_court_finds_mistakes_that_a_loose_bound_lets_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    original = enclosure.enclosure

    def wide(exact: Exact, how: Arithmetic) -> Enclosure | None:
        found = original(exact, how)
        return None if found is None else dataclasses.replace(found, limit=found.limit * 1e6)

    for module in ("linear", "enclosure"):
        monkeypatch.setattr(f"torchtwin.kernel.proof.{module}.enclosure", wide)
    failures: list[str] = []
    rows = court.planted(7, 60, failures).values()
    assert sum(row.different for row in rows) < sum(row.pairs for row in rows)


def findings(failures: list[str], misnamed: int = 0, missed: int = 0) -> court.Findings:
    row = court.Row(pairs=300, different=300, right_diagnosis=300 - misnamed, misnamed=["one"] * misnamed)
    probes = {"products": 600, "rows": 1, "rows with a false alarm": 0, "missed": missed, "honest called different": 0}
    return court.Findings({"float32": court.Row(pairs=1)}, {"scaled": row}, probes, failures)


FOUND = {
    "nothing": (findings([]), 0),
    "a verdict that may not be": (findings(["honest, x @ w.T: different"]), 1),
    "1 % of the causes": (findings([], misnamed=3), 0),
    "more causes": (findings([], misnamed=4), 1),
    "as many missed as chance allows": (findings([], missed=69), 0),
    "more missed": (findings([], missed=80), 1),
}


@pytest.mark.parametrize("what", FOUND)
def test_the_court_ends_with_1_where_more_is_wrong_than_its_table_allows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, what: str
) -> None:
    found, status = FOUND[what]
    monkeypatch.setattr(court, "run", lambda *_: found)
    monkeypatch.setattr("sys.argv", ["court", "--json", str(tmp_path / "court.json")])
    assert court.main() == status
    told = capsys.readouterr().out
    assert f"{len(found.breaches())} not allowed" in told
    assert "(allowed: none that is not different, 1% without the right cause)" in told
    assert "missed 69, each with a probability of 1/16)" in told


def test_as_many_may_be_missed_as_chance_rarely_exceeds() -> None:
    for trials in (12, 100, 600):
        allowed = court.allowed_misses(trials)
        ways = [math.comb(trials, m) * (1 / 16) ** m * (15 / 16) ** (trials - m) for m in range(trials + 1)]
        assert math.fsum(ways[allowed + 1 :]) <= court.UNLIKELY < math.fsum(ways[allowed:])


def test_an_honest_product_that_a_probe_calls_different_and_a_mistake_that_is_missed_are_failures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounding, different = Verdict(kind="rounding", message="", proof=True), Verdict(kind="different", message="off")
    alarmed = dataclasses.replace(next(court.probes.trials(7, 1)))
    honest = msgspec.structs.replace(different, probe=alarmed.honest.probe)
    monkeypatch.setattr(court.probes, "trials", lambda *_: [dataclasses.replace(alarmed, honest=honest)])
    monkeypatch.setattr(court.torchtwin, "compare", lambda *_: rounding)
    failures: list[str] = []
    court.probed(7, 1, failures)
    court.planted(7, 1, failures)
    assert [it.split(",")[0] for it in failures] == ["probe", "mutant 0"]
