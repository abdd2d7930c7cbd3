"""Which calls are checked: all, none, or as many as the budget allows, each layer in its turn."""

from __future__ import annotations

from torchtwin.kernel.budget import Budget
from torchtwin.kernel.fastpath import FastPath
from torchtwin.kernel.forms import Layer
from torchtwin.protocol import Mode

MAX_DEBT = 1.0
"""Seconds beyond the budget, after which even the first call of a layer is not checked."""
MAX_FORMS = 8
"""So many forms of a layer's calls are checked when they come first, whatever is left of the budget."""


PATIENCE = 1_000
"""So many looks at other layers a turn waits for one that runs seldom: a few milliseconds of the budget."""


class Sampler:
    """In mode `auto` the first call of a layer is always checked, and the first with another shape, dtype or place.

    Beyond that a layer is checked while the budget lasts, and again only when all others of the cell have been: nobody
    stays unchecked for ever, nor is one checked at the cost of others because it runs first.
    """

    def __init__(self, budget: Budget, fast: FastPath) -> None:
        self.mode: Mode = "auto"
        self._budget = budget
        self._fast = fast
        self._present: set[Layer] = set()
        """The layers that were looked at in this cell."""
        self._waiting: set[Layer] = set()
        """Those that were not checked in this turn."""
        self._passed = 0

    @property
    def reason_for_none(self) -> str | None:
        """Why no call at all is checked now, not even the first of a layer."""
        is_in_debt = self.mode == "auto" and self._budget.left() < -MAX_DEBT
        return self.reason if self.mode == "shapes" or is_in_debt else None

    @property
    def reason(self) -> str:
        """Why a call is not checked that is only counted."""
        if self.mode == "shapes":
            return "in mode `shapes` calls are recorded only"
        return f"over the budget of {100 * self._budget.share:.3g} % of the running time"

    def turn_to(self, mode: Mode) -> None:
        self.mode = mode
        self.look()

    def cell_begins(self) -> None:
        """Other layers may run than before."""
        self._present.clear()
        self._waiting.clear()
        self.look()

    def look(self) -> None:
        """Opens the way for the next call to be looked at, where that may lead to a check."""
        self._fast.look_at_next(self.checks_more())

    def checks_more(self) -> bool:
        """Whether a call may be checked that need not be."""
        return self.mode == "every" or (self.mode == "auto" and self._budget.left() > 0)

    def checks_first(self, layer: Layer) -> bool:
        """Whether a call is told whole, and checked where calls are, that is like none before but for its layer."""
        return layer.forms < MAX_FORMS or self.checks_again(layer)

    def checks_again(self, layer: Layer) -> bool:
        """Whether a call is checked that is like one that was told."""
        if self.mode != "auto":
            return self.mode == "every"
        if layer not in self._present:
            self._present.add(layer)
            self._waiting.add(layer)
        if not self.checks_more():
            self._fast.look_at_next(False)
            return False
        return layer in self._waiting or self._is_turn_over()

    def checked(self, layer: Layer) -> None:
        """A call of the layer was checked, in its turn or because it was the first."""
        if self.mode == "auto":
            self._present.add(layer)
            self._waiting.discard(layer)

    def _is_turn_over(self) -> bool:
        """Whether nobody is waiting, or those who are do not run any more: so many others have come by since."""
        self._passed += 1
        if self._waiting and self._passed <= max(PATIENCE, 2 * len(self._present)):
            return False
        self._passed = 0
        self._present = self._present - self._waiting
        self._waiting = set(self._present)
        return True
