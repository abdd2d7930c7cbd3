"""The court: honest pairs and planted mistakes, judged by Torchtwin and by torch's own comparisons.

    make court                                   # 15,000 honest pairs, 10,800 mutants, 600 probes; some minutes
    python -m benchmarks.court --honest 200 --mutants 300 --probes 12

Deterministic by seed. Prints a table and writes `build/court.json`; ends with 1 where more is wrong than is allowed.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path

import torch
from benchmarks.trial import honest, mutants, networks, peers, probes

import torchtwin
from torchtwin.kernel.proof.alarm import PROBABILITY

CLEAR_AFTER = 200
"""Pairs. A notebook has fewer calls than this, and each pair is traced to the newest."""
RIGHT_CAUSES = 0.99
"""Of the mutants, the share whose cause must be named, and no other beside it."""
UNLIKELY = 1e-6
"""That a probe that sees what it says misses as many as are not allowed any more."""


@dataclass
class Row:
    """One line of a table."""

    pairs: int = 0
    identical: int = 0
    rounding: int = 0
    different: int = 0
    unchecked: int = 0
    proven: int = 0
    right_diagnosis: int = 0
    misnamed: list[str] = field(default_factory=list)
    """Each mutant whose cause is not the one named, to find it again."""
    same_by: dict[str, int] = field(default_factory=lambda: dict.fromkeys(peers.NAMES, 0))
    """How many each of torch's comparisons takes for the same."""

    def count(self, verdict: torchtwin.Verdict, by_peers: Iterable[bool]) -> None:
        self.pairs += 1
        setattr(self, verdict.kind, getattr(self, verdict.kind) + 1)
        self.proven += verdict.proof
        for name, same in zip(peers.NAMES, by_peers, strict=True):
            self.same_by[name] += same


@dataclass
class Findings:
    honest: dict[str, Row]
    mutants: dict[str, Row]
    probes: dict[str, int]
    failures: list[str]
    """Each verdict that may not be, to find it again."""
    seconds: float = 0.0

    @property
    def misnamed(self) -> list[str]:
        return [it for row in self.mutants.values() for it in row.misnamed]

    def breaches(self) -> list[str]:
        """What is not allowed; each of it fails the court."""
        pairs, missed = sum(row.pairs for row in self.mutants.values()), self.probes["missed"]
        allowed = allowed_misses(self.probes["products"])
        found = list(self.failures)
        if len(self.misnamed) > (1 - RIGHT_CAUSES) * pairs:
            share = 1 - len(self.misnamed) / pairs
            found.append(f"only {share:.1%} of the mutants have the right cause, of which {RIGHT_CAUSES:.0%} must")
        if missed > allowed:
            found.append(f"{missed} of {self.probes['products']} errors were missed by a probe, {allowed} may be")
        return found


def allowed_misses(trials: int) -> int:
    """The most that a probe that sees each error with the probability it states may miss, but for an unlikely chance.

    By the binomial distribution: the least m with P(more than m of the trials) below `UNLIKELY`.
    """
    missing = 1 - PROBABILITY
    beyond = 1.0
    for missed in range(trials + 1):
        ways = math.lgamma(trials + 1) - math.lgamma(missed + 1) - math.lgamma(trials - missed + 1)
        beyond -= math.exp(ways + missed * math.log(missing) + (trials - missed) * math.log1p(-missing))
        if beyond < UNLIKELY:
            return missed
    return trials


def honest_pairs(seed: int, count: int, failures: list[str]) -> dict[str, Row]:
    """Outputs of single layers, a quarter as many gradients, and a quarter as many pairs of whole networks."""
    rows: dict[str, Row] = collections.defaultdict(Row)
    of_layers = honest.outputs(seed, count), honest.gradients(seed, count // 4)
    with torchtwin.watch("every"):
        for number, pair in enumerate(chain(*of_layers, networks.pairs(seed, count // 4))):
            verdict = torchtwin.compare(*(pair.actual, pair.expected)[:: (-1) ** number])  # in either order
            rows[pair.group].count(verdict, peers.verdicts(pair.actual, pair.expected))
            if verdict.kind == "different":
                failures.append(f"honest, {pair.what}: {verdict.message}")
            if number % CLEAR_AFTER == 0:
                torchtwin.clear()
    return dict(sorted(rows.items()))


def planted(seed: int, count: int, failures: list[str]) -> dict[str, Row]:
    rows: dict[str, Row] = collections.defaultdict(Row)
    with torchtwin.watch("every"):
        for number, mutant in enumerate(mutants.mutants(seed, count)):
            verdict = torchtwin.compare(*(mutant.actual, mutant.expected)[:: (-1) ** number])
            row = rows[mutant.group]
            row.count(verdict, peers.verdicts(mutant.actual, mutant.expected))
            named = {verdict.diagnosis.code, *verdict.diagnosis.also} if verdict.diagnosis else set()
            row.right_diagnosis += named == mutant.causes
            told = f"mutant {number}, {mutant.what}: {verdict.kind}, {sorted(named)}"
            if verdict.kind != "different":
                failures.append(told)
            elif named != mutant.causes:
                row.misnamed.append(told)
            if number % CLEAR_AFTER == 0:
                torchtwin.clear()
    return dict(rows)


def probed(seed: int, count: int, failures: list[str]) -> dict[str, int]:
    """False alarms on honest products, and single errors of the stated size that were missed."""
    found = {"products": 0, "rows": 0, "rows with a false alarm": 0, "missed": 0, "honest called different": 0}
    for trial in probes.trials(seed, count):
        assert trial.honest.probe is not None
        found["products"] += 1
        found["rows"] += trial.rows
        found["rows with a false alarm"] += trial.honest.probe.alarms
        found["missed"] += trial.spoiled.kind != "different"
        if trial.honest.kind == "different":
            found["honest called different"] += 1
            failures.append(f"probe, {trial.group}: {trial.honest.message}")
    return found


def table(findings: Findings) -> str:
    """For a person."""
    lines = [
        "Honest pairs (allowed: none different)",
        _header("dtype", "different", "unchecked", "proven", *(f"not {n}" for n in peers.NAMES)),
    ]
    for name, row in _with_total(findings.honest):
        apart = [row.pairs - row.same_by[peer] for peer in peers.NAMES]
        lines.append(_line(name, row.pairs, row.different, row.unchecked, row.proven, *apart))
    allowed = f"allowed: none that is not different, {1 - RIGHT_CAUSES:.0%} without the right cause"
    lines += [
        "",
        f"Mutants ({allowed})",
        _header("planted", "different", "right cause", *(f"not {n}" for n in peers.NAMES)),
    ]
    for name, row in _with_total(findings.mutants):
        apart = [row.pairs - row.same_by[peer] for peer in peers.NAMES]
        lines.append(_line(name, row.pairs, row.different, row.right_diagnosis, *apart))
    odds = f"each with a probability of 1/{1 / (1 - PROBABILITY):.0f}"
    may_be_missed = f"{allowed_misses(findings.probes['products'])}, {odds}"
    lines += ["", f"Probes (allowed: no honest product different, missed {may_be_missed})"]
    lines += [f"  {name}: {value:,}" for name, value in findings.probes.items()]
    return "\n".join([*lines, "", f"{findings.seconds:.0f} s, {len(findings.breaches())} not allowed"])


def _with_total(rows: dict[str, Row]) -> list[tuple[str, Row]]:
    total = Row()
    for row in rows.values():
        for name in ("pairs", "identical", "rounding", "different", "unchecked", "proven", "right_diagnosis"):
            setattr(total, name, getattr(total, name) + getattr(row, name))
        for peer in peers.NAMES:
            total.same_by[peer] += row.same_by[peer]
    return [*rows.items(), ("all", total)]


def _header(first: str, *columns: str) -> str:
    return f"{first:24}{'pairs':>9}" + "".join(f"{column:>20}" for column in columns)


def _line(first: str, pairs: int, *columns: int) -> str:
    return f"{first:24}{pairs:9,}" + "".join(f"{column:20,}" for column in columns)


def run(seed: int, honest_count: int, mutant_count: int, probe_count: int) -> Findings:
    """Everything that is judged."""
    began = time.perf_counter()
    failures: list[str] = []
    findings = Findings(
        honest=honest_pairs(seed, honest_count, failures),
        mutants=planted(seed, mutant_count, failures),
        probes=probed(seed, probe_count, failures),
        failures=failures,
    )
    findings.seconds = time.perf_counter() - began
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(description="Honest pairs and planted mistakes, judged.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--honest", type=int, default=10_000)
    parser.add_argument("--mutants", type=int, default=10_800)
    parser.add_argument("--probes", type=int, default=600)
    parser.add_argument("--json", type=Path, default=Path("build/court.json"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    findings = run(asked.seed, asked.honest, asked.mutants, asked.probes)
    print(table(findings))
    for breach in (breaches := findings.breaches())[:20]:
        print(f"  {breach}")
    for told in findings.misnamed[:20]:
        print(f"  not the right cause: {told}")
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(asdict(findings), indent=1) + "\n")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
