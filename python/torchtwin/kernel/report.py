"""The report of a cell's calls, for `%%twin` and `%twin report`, and the summary that `%twin` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from torchtwin.kernel.report_columns import clean
from torchtwin.kernel.report_html import html
from torchtwin.kernel.report_model import count_of, counts, fold
from torchtwin.kernel.report_text import text
from torchtwin.protocol import MIME_TYPE, Call, Envelope, Page, State, Values

MAX_SHOWN = 50
"""Calls (or folds of equal ones) that text and HTML show; the rest is counted."""
MAX_SENT = 1_000
"""Calls in the MIME payload."""
MAX_WITH_VALUES = 100
"""Of these, so many carry their elements."""
WORDS = "on | off | mode auto|every|shapes | clear | report | here"


class Report:
    """Displays calls as one bundle: text, static HTML, and the page they came in.

    Calls of one site and name with one outcome are shown once, with their number.
    """

    def __init__(self, calls: Sequence[Call], page: Page) -> None:
        self._calls = list(calls)
        folds = fold(self._calls)
        self._shown = folds[:MAX_SHOWN]
        self._hidden = [call for it in folds[MAX_SHOWN:] for call in it.calls]
        self._page = bounded(page)

    def __repr__(self) -> str:
        return text(self._calls, self._shown, self._hidden)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {
            "text/plain": repr(self),
            "text/html": html(self._calls, self._shown, self._hidden),
            MIME_TYPE: msgspec.to_builtins(self._page),
        }


def bounded(page: Page) -> Page:
    """The page with its newest calls only, and values only in the first of these.

    Calls left out are missing before the page, so `after` moves up to the last of them, as in any page.
    """
    calls = [it for it in page.envelopes if isinstance(it.event, Call)]
    dropped = {it.seq for it in calls[:-MAX_SENT]}
    bare = {it.seq for it in calls[-MAX_SENT:][MAX_WITH_VALUES:]}
    kept = [_bare(it) if it.seq in bare else it for it in page.envelopes if it.seq not in dropped]
    return msgspec.structs.replace(page, after=max({page.after, *dropped}), envelopes=kept)


def _bare(envelope: Envelope) -> Envelope:
    event = msgspec.structs.replace(envelope.event, values=Values())
    return msgspec.structs.replace(envelope, event=event)


def summary(state: State, calls: Sequence[Call], alike: int = 0, words: bool = True) -> str:
    """What `%twin` prints. `calls` are those still in the buffer, without the `alike` that were only counted.

    `words`: with those that `%twin` takes.
    """
    torch = f"torch {state.torch}" if state.torch else "torch is not imported yet"
    watch = f"Torchtwin {state.torchtwin}: {'watching' if state.watching else 'off'}, {torch}"
    lines = [watch, _kept(state, calls, alike), _mode(state)]
    lines += [f"  unseen: {it.message}" for it in state.unseen]
    if state.internal_errors is not None:
        lines.append(_faults(state.internal_errors.count, state.internal_errors.first))
    if words:
        lines.append(f"%twin {WORDS}")
    return "\n".join(lines)


def _mode(state: State) -> str:
    chosen = {
        "every": "every call is checked",
        "shapes": "calls are recorded, none is checked",
        "auto": f"as many calls are checked as {100 * state.budget:.3g} % of the running time allow",
    }[state.mode]
    if state.cost is None:
        return f"mode {state.mode}: {chosen}"
    return f"mode {state.mode}: {chosen}; took {state.cost.spent:.2g} s beside {state.cost.running:.2g} s of yours"


def _kept(state: State, calls: Sequence[Call], alike: int) -> str:
    told = counts(calls, alike)
    if not told:
        return count_of(state.calls, "call")
    if not state.dropped:
        return f"{count_of(state.calls, 'call')}: {told}"
    return f"{count_of(state.calls, 'call')}, the oldest {state.dropped:,} no longer kept; of the others: {told}"


def _faults(count: int, traceback: str) -> str:
    last = traceback.strip().rpartition("\n")[2]
    return f"{count_of(count, 'fault')} of Torchtwin's own, kept away from your code; the first: {clean(last)}"
