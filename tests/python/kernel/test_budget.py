"""The budget: a share of the running time, an advance, and no more saved up than a person would not notice."""

from __future__ import annotations

import random
import time

import pytest

from torchtwin.kernel.budget import Budget


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def started(share: float = 0.03) -> tuple[Budget, Clock]:
    clock = Clock()
    budget = Budget(share, clock)
    budget.begins()
    return budget, clock


def test_a_cell_may_use_the_advance_at_once() -> None:
    budget, _ = started()
    assert budget.left() == pytest.approx(0.05)


def test_what_may_be_spent_is_the_share_of_the_users_own_time() -> None:
    budget, clock = started()
    clock.now += 4.0
    budget.charge(1.0)
    assert budget.left() == pytest.approx(0.03 * 3.0 - 1.0)


@pytest.mark.parametrize("share", [0.001, 0.03, 0.5, 1.0])
def test_who_spends_only_while_something_is_left_exceeds_the_budget_by_one_check_at_most(share: float) -> None:
    budget, clock = started(share)
    draw = random.Random(7)
    spent = running = last = 0.0
    for _ in range(20_000):
        own = draw.choice([1e-5, 1e-3, 0.05])
        clock.now += own
        running += own
        if budget.left() > 0:
            last = draw.choice([1e-5, 1e-3, 0.04])
            clock.now += last
            budget.charge(last)
            spent += last
        assert spent <= max(0.05, share * running) + last + 1e-9
    assert spent > 0.5 * min(share, 0.1) * running  # and the budget is used


def test_only_a_quarter_of_a_second_is_saved_up() -> None:
    budget, clock = started()
    clock.now += 3600
    assert budget.left() == pytest.approx(0.25)
    budget.charge(0.25)
    clock.now += 0.25  # the time that it took
    assert budget.left() == pytest.approx(0.0)
    clock.now += 1
    assert budget.left() == pytest.approx(0.03)


def test_the_users_time_stands_still_between_cells() -> None:
    budget, clock = started()
    clock.now += 2
    budget.stops()
    budget.stops()
    clock.now += 100
    assert budget.cost().running == 2.0
    budget.goes_on()
    budget.goes_on()
    clock.now += 3
    assert budget.cost().running == 5.0


def test_it_goes_on_at_a_clock_that_shows_zero() -> None:
    budget, clock = started()
    budget.stops()
    clock.now = 0.0
    budget.goes_on()
    clock.now = 2.0
    budget.goes_on()
    clock.now = 3.0
    assert budget.cost().running == 3.0


def test_a_new_cell_begins_with_nothing_spent_and_nothing_saved() -> None:
    budget, clock = started()
    clock.now += 100
    budget.left()
    budget.charge(7)
    budget.count(1000)
    budget.begins()
    assert budget.left() == pytest.approx(0.05)
    clock.now += 1
    budget.charge(0.5)
    assert (budget.cost().spent, budget.cost().running) == (0.5, 0.5)


def test_of_a_cell_that_spends_nothing_the_cost_is_that_of_the_cell_before() -> None:
    budget, clock = started()
    clock.now += 10
    budget.charge(2)
    budget.stops()
    for _ in range(2):
        budget.begins()
        assert (budget.cost().spent, budget.cost().running) == (2.0, 8.0)
    budget.charge(9e-4)  # not enough to be told
    assert (budget.cost().spent, budget.cost().running) == (2.0, 8.0)


def test_a_function_of_ours_is_charged_with_its_time_also_where_it_raises() -> None:
    budget, clock = started()

    def check(seconds: float, fails: bool) -> str:
        clock.now += seconds
        if fails:
            raise ValueError("so it goes")
        return "done"

    charged = budget.charged(check)
    assert charged(0.5, fails=False) == "done"
    with pytest.raises(ValueError, match="so it goes"):
        charged(0.25, fails=True)
    clock.now += 10
    assert (budget.cost().spent, budget.cost().running) == (0.75, 10.0)


def test_a_thread_of_ours_is_charged_with_its_work_and_not_with_its_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    budget, clock = started()
    worked = iter([5.0, 5.125])
    monkeypatch.setattr(time, "thread_time", lambda: next(worked))
    with budget.thread():
        clock.now += 60
    assert budget.cost().spent == 0.125


def test_calls_that_are_only_counted_are_told_in_the_cost_and_leave_no_debt() -> None:
    budget, clock = started()
    clock.now += 10
    budget.count(1_000_000)
    assert budget.cost().spent == pytest.approx(1.6)
    assert budget.cost().running == pytest.approx(8.4)
    assert budget.left() == pytest.approx(0.25)


def test_what_was_left_or_owed_stays_when_the_share_is_changed() -> None:
    budget, clock = started()
    clock.now += 2
    budget.share = 0.1
    assert budget.left() == pytest.approx(0.06)
    clock.now += 1
    assert budget.left() == pytest.approx(0.16)
    budget.charge(1)
    budget.share = 0.001
    assert budget.left() == pytest.approx(-0.94)  # what is spent is no running time
