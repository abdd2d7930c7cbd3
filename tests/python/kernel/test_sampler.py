"""Nobody stays unchecked for ever, and nobody is checked beyond the budget who need not be."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import chain, cycle, islice, repeat

import pytest

from torchtwin.kernel.budget import Budget
from torchtwin.kernel.fastpath import FastPath
from torchtwin.kernel.forms import Layer
from torchtwin.kernel.sampler import MAX_FORMS, Sampler
from torchtwin.protocol import Mode

CALL, LOOK, BEAT = 10e-6, 3e-6, 0.05


class Program:
    """Runs layers by name on a clock of its own, and tells how often each was checked."""

    def __init__(self, check: float = 100e-6, mode: Mode = "auto") -> None:
        self.now = 0.0
        self.budget = Budget(clock=lambda: self.now)
        self.budget.begins()
        self.fast = FastPath(deque())
        self.fast.is_counted = True
        self.sampler = Sampler(self.budget, self.fast)
        self.sampler.turn_to(mode)
        self.checked: Counter[str] = Counter()
        self.looked: Counter[str] = Counter()
        self.longest: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._check = check
        self._layers: dict[str, Layer] = {}
        self._trusted: set[str] = set()
        self._beats = 0

    def cell(self, layers: Iterable[str], seconds: float) -> None:
        self.budget.begins()
        self.sampler.cell_begins()
        self._layers.clear()
        self._last.clear()
        until = self.now + seconds
        beat = self.now + BEAT
        for name in layers:
            self.now += CALL
            self._call(name)
            if self.now > beat:
                self._beat()
                beat = self.now + BEAT
            if self.now > until:
                break
        for name, last in self._last.items():
            self.longest[name] = max(self.longest.get(name, 0.0), self.now - last)

    def _call(self, name: str) -> None:
        layer = self._layers.get(name)
        if layer is None:
            layer = self._layers[name] = Layer(forms=1)
            self._is_checked(name, layer)
        elif self.fast.due or name not in self._trusted:
            self.looked[name] += 1
            self._spend(LOOK)
            if self.sampler.checks_again(layer):
                self._is_checked(name, layer)
        self._trusted.add(name)

    def _is_checked(self, name: str, layer: Layer) -> None:
        self.sampler.checked(layer)
        self._spend(self._check)
        self.checked[name] += 1
        self.longest[name] = max(self.longest.get(name, 0.0), self.now - self._last.get(name, self.now))
        self._last[name] = self.now

    def _spend(self, seconds: float) -> None:
        self.now += seconds
        self.budget.charge(seconds)

    def _beat(self) -> None:
        self.sampler.look()
        self._beats += 1
        if self._beats % 20 == 0:
            self._trusted.clear()


def many(count: int) -> list[str]:
    return [f"layer {at}" for at in range(count)]


def test_each_layer_has_its_turn_before_one_is_checked_again() -> None:
    program = Program()
    program.cell(cycle(many(100)), 10)
    assert len(program.checked) == 100
    assert min(program.checked.values()) > 10
    assert max(program.checked.values()) - min(program.checked.values()) <= 2


@pytest.mark.parametrize("check", [100e-6, 5e-3])
def test_all_checks_together_stay_within_the_budget(check: float) -> None:
    program = Program(check)
    program.cell(cycle(many(10)), 20)
    first = 10 * check  # which are checked whatever is left
    assert program.budget.cost().spent <= max(0.05 + first, 0.03 * 20) + check
    assert program.budget.cost().spent > 0.9 * 0.03 * (20 - 0.6)


def test_who_runs_seldom_is_checked_again_and_again() -> None:
    program = Program()
    program.cell(cycle(chain(repeat("often", 1000), ["seldom"])), 20)
    assert program.longest["seldom"] < 2
    assert program.longest["often"] < 2


def test_who_runs_seldom_is_checked_also_where_checks_are_dear() -> None:
    program = Program(check=3e-3)
    program.cell(cycle(chain(repeat("often", 10_000), ["seldom"])), 60)
    assert program.longest["seldom"] < 10
    assert program.longest["often"] < 10


def test_a_layer_that_runs_no_more_holds_nobody_up_for_long() -> None:
    program = Program()
    gone = chain(*(repeat(it, 20) for it in many(5)))
    program.cell(chain(gone, repeat("stays")), 10)
    assert program.longest["stays"] < 2  # what a cell may take in advance is paid back in 0.05 / 0.03 seconds
    assert program.checked["stays"] > 100


def test_a_layer_that_appears_late_is_checked_as_often_as_the_others() -> None:
    program = Program()
    early: Iterator[str] = islice(repeat("early"), 500_000)
    program.cell(chain(early, cycle(["early", "late"])), 15)
    assert program.longest["late"] < 1
    assert program.checked["late"] > 100


def test_a_layer_that_comes_back_is_checked_again() -> None:
    program = Program()
    away = repeat("other", 500_000)
    program.cell(chain(["back"], away, cycle(["other", "back"])), 15)
    assert program.checked["back"] > 100


def test_without_budget_the_way_closes_and_a_beat_opens_it_again() -> None:
    program = Program()
    program.budget.charge(0.05)
    layer = Layer(forms=1)
    assert program.fast.due
    assert not program.sampler.checks_again(layer)
    assert not program.fast.due
    program.now += 10
    program.sampler.look()
    assert program.fast.due
    assert program.sampler.checks_again(layer)


@pytest.mark.parametrize("left", [True, False])
def test_the_first_forms_of_a_layer_are_checked_whatever_is_left(left: bool) -> None:
    program = Program()
    program.budget.charge(0.0 if left else 1.0)
    answers = [program.sampler.checks_first(Layer(forms=forms)) for forms in range(MAX_FORMS + 3)]
    assert answers == [True] * MAX_FORMS + [left] * 3


@pytest.mark.parametrize(("mode", "checks"), [("every", True), ("shapes", False)])
def test_the_other_modes_do_not_ask_for_the_budget(mode: Mode, checks: bool) -> None:
    program = Program(mode=mode)
    layer = Layer(forms=1)
    for spent in (0.0, 100.0):
        program.budget.charge(spent)
        assert [program.sampler.checks_again(layer) for _ in range(3)] == [checks] * 3
        assert program.sampler.checks_more() is checks
        assert program.fast.due is checks


def test_the_reason_says_what_was_chosen() -> None:
    program = Program()
    program.budget.share = 0.05
    assert program.sampler.reason == "over the budget of 5 % of the running time"
    assert program.sampler.reason_for_none is None
    program.sampler.turn_to("shapes")
    assert program.sampler.reason == program.sampler.reason_for_none == "in mode `shapes` calls are recorded only"


def test_the_way_stays_open_while_somebody_needs_each_call_or_nobody_counts() -> None:
    fast = FastPath(deque())
    fast.look_at_next(False)
    assert fast.due  # nobody counts yet
    fast.is_counted = True
    fast.look_at_next(False)
    assert not fast.due
    with fast.closed(), fast.closed():
        fast.look_at_next(False)
        assert fast.due
    assert not fast.due


def test_beyond_a_debt_not_even_a_first_call_is_checked() -> None:
    program = Program()
    program.budget.charge(1.0)
    assert program.sampler.reason_for_none is None
    program.budget.charge(0.1)
    assert program.sampler.reason_for_none == "over the budget of 3 % of the running time"
    program.sampler.turn_to("every")
    assert program.sampler.reason_for_none is None
