"""What `%twin` does with the words that follow it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from IPython.display import display

from torchtwin.kernel.comparing.question import Evaluation, Question, equality_meant, is_name, question
from torchtwin.kernel.recorder import MAX_CALLS
from torchtwin.kernel.report import Report, summary
from torchtwin.kernel.session import Session
from torchtwin.kernel.twin_cell import CellReports
from torchtwin.protocol import Call, Mode

FAULT = "{word} failed by a fault of Torchtwin's own: {error}. The panel has the details to report."
MODE_HELP = (
    "%twin mode takes `auto` (as many calls are checked as 3 % of the running time allow; `%twin mode auto 5%` sets "
    "another share), `every` (each call is checked) or `shapes` (none is, calls are recorded only); {!r} was not used."
)
WORDS = ("on", "off", "mode", "clear", "report", "here")


class TwinLine:
    """Carries out the words in one shell."""

    def __init__(self, shell: Any, session: Session, cells: CellReports) -> None:
        self._shell = shell
        self._session = session
        self._cells = cells
        self._actions: dict[str, Callable[[], None]] = {
            "on": self._on,
            "off": session.unwatch,
            "clear": session.clear,
        }

    def carry_out(self, words: str) -> None:
        """A fault of ours is told as one: who asked shall not look for it in their own code, nor be left in silence."""
        try:
            self._word(words)
        except Exception as error:
            self._session.guard.caught(error)
            print(FAULT.format(word=f"%twin {words}".rstrip(), error=repr(error)), file=sys.stderr)

    def _on(self) -> None:
        self._session.watch()
        self._cells.keep_watching()

    def _word(self, word: str) -> None:
        first, _, rest = word.partition(" ")
        if word == "here" and word not in self._shell.user_ns:
            self._here()
        elif word == "report":
            self.report(0, self._session.latest(MAX_CALLS))
        elif first == "mode" and (_is_a_mode(rest) or "mode" not in self._shell.user_ns):
            self._mode(rest)
        elif not word or word in self._actions:
            self._actions.get(word, lambda: None)()
            self._session.look_for_unseen()
            self._summarise()
        elif (asked := question(word)) is not None and is_name(word, self._shell.user_ns):
            self._answer(asked)
        else:
            print(unknown_word(word), file=sys.stderr)

    def _mode(self, words: str) -> None:
        chosen = mode_meant(words)
        if chosen is None:
            print(MODE_HELP.format(words), file=sys.stderr)
            return
        self._session.set_mode(*chosen)
        if chosen[0] is not None:
            self._cells.keep_mode(chosen[0])
        self._summarise()

    def _here(self) -> None:
        from torchtwin.kernel.paused.here import show  # seldom needed

        show(sys._getframe())

    def _summarise(self) -> None:
        print(summary(self._session.state(), self._session.calls(), self._session.recorder.alike))

    def _answer(self, asked: Question) -> None:
        """Under a watch, so that calls made in the expressions themselves are known."""
        was_watched = self._session.watching
        self._session.watch()
        try:
            values = [Evaluation(self._shell.user_ns).value(words) for words in asked.sides]
            if wrong := next((error for _, error in values if error is not None), None):
                print(wrong, file=sys.stderr)
                return
            self._show_answer(asked, [value for value, _ in values], was_watched)
        finally:
            if not was_watched:
                self._session.unwatch()

    def _show_answer(self, asked: Question, values: list[object], is_watched: bool) -> None:
        from torchtwin.kernel.comparing.answer import Asked, answer
        from torchtwin.kernel.comparing.explain import explain
        from torchtwin.kernel.comparing.verdict import Verdict

        if len(values) == 1:
            print(explain(values[0], asked.sides[0], self._session, is_watched))
            return
        actual, expected = values
        words = asked.sides[0], asked.sides[1]
        comparison = answer(self._session, Asked(actual, expected, words, is_watched=is_watched))
        display(Verdict(comparison))  # type: ignore[no-untyped-call]

    def report(self, after: int, calls: list[Call]) -> None:
        """Displays calls, with the page of what happened after a sequence number."""
        display(Report(calls, self._session.page(after, MAX_CALLS)))  # type: ignore[no-untyped-call]


def unknown_word(word: str) -> str:
    """What a person reads who mistyped."""
    if (meant := equality_meant(word)) is not None:
        return f"%twin compares by `==`: write `%twin {meant}`."
    return (
        f"%twin does not know {word!r}. It takes one of {', '.join(WORDS)}, an expression (`a == b` compares), "
        "or nothing for a summary."
    )


def mode_meant(words: str) -> tuple[Mode | None, float | None] | None:
    """The mode and the budget of `%twin mode auto 5%`, null where they are not told; null if the words say nothing."""
    match words.split():
        case []:
            return None, None
        case ["shapes" | "auto" | "every" as mode]:
            return mode, None
        case ["auto", share] if (budget := share_meant(share)) is not None:
            return "auto", budget
    return None


def _is_a_mode(words: str) -> bool:
    """Of words that could also ask about a variable `mode`, as `%twin mode == other`."""
    return bool(words) and mode_meant(words) is not None


def share_meant(word: str) -> float | None:
    """`5%` and `0.05` are the same share; null for what is none above 0 and at most 1."""
    try:
        share = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
    except ValueError:
        return None
    return share if 0 < share <= 1 else None
