"""A small part of the court: no honest pair is called different, no planted mistake is missed."""

from __future__ import annotations

import dataclasses

import pytest
from benchmarks import court

from torchtwin.kernel.proof import enclosure
from torchtwin.kernel.proof.bounds import Arithmetic, Exact
from torchtwin.kernel.proof.enclosure import Enclosure


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
    assert sum(row.right_diagnosis for row in rows) >= 0.97 * pairs, failures


def test_the_probe_raises_no_false_verdict_and_sees_what_it_says_it_would() -> None:
    failures: list[str] = []
    found = court.probed(7, 12, failures)
    assert failures == []
    assert (found["products"], found["honest called different"]) == (12, 0)
    assert found["missed"] <= 3  # each with a probability of at most 1/16


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
