"""Tells with each call which of the user's variables are its output or its gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from torchtwin.kernel.cells import Cells
from torchtwin.kernel.comparing.looks import Found
from torchtwin.kernel.comparing.matches import SECONDS, Matcher
from torchtwin.kernel.comparing.multiples import multiples_of_gradients
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.past import Past
from torchtwin.kernel.recorder import Recorder
from torchtwin.protocol import Match


class Matching:
    """What a look at the variables brings goes to the recorder."""

    def __init__(self, recorder: Recorder, past: Past, tracer: Tracer, cells: Cells) -> None:
        self._recorder = recorder
        self._cells = cells
        self._matcher = Matcher(past, tracer, self._multiples)
        self.changed: set[str] = set()
        """The names that were bound or changed between the last two looks."""

    def look(self, names: Mapping[str, Any], seconds: float = SECONDS) -> int:
        """Returns how many of the variables it had no time for."""
        look = self._matcher.after_cell(names, seconds)
        self.changed, gone = look.changed, look.changed | look.outdated
        for id in {call.id for call in self._recorder.calls() if any(it.name in gone for it in call.matches)}:
            self._change(id, lambda matches: [it for it in matches if it.name not in gone])
        for it in look.found:
            self._change(it.call, functools.partial(_with_match, new=it.match))
        return look.left_out

    def look_at(self, words: str, value: object) -> Found | None:
        """What one value matches, or nearly; nothing is recorded of it."""
        return self._matcher.look_at(words, value)

    def forget(self) -> None:
        """The calls are gone."""
        self._matcher.forget()

    def _multiples(self) -> frozenset[str]:
        cell = self._cells.running
        return frozenset() if cell is None else multiples_of_gradients(cell.python)

    def _change(self, id: int, change: Callable[[list[Match]], list[Match]]) -> None:
        self._recorder.update(id, lambda call: msgspec.structs.replace(call, matches=change(call.matches)))


def _with_match(matches: list[Match], new: Match) -> list[Match]:
    return [*(it for it in matches if (it.name, it.of) != (new.name, new.of)), new]
