"""`%twin` and `%%twin`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import display

from torchtwin.kernel.comparing.question import Evaluation, Question, equality_meant, is_name, question
from torchtwin.kernel.recorder import MAX_CALLS
from torchtwin.kernel.session import Session
from torchtwin.kernel.twin_cell import ASSERT, REPORT_AT_END, CellReports, PlainCell
from torchtwin.protocol import Call, Mode

FAULT = "{word} failed by a fault of Torchtwin's own: {error}. The panel has the details to report."
MODE_HELP = (
    "%twin mode takes `auto` (as many calls are checked as 3 % of the running time allow; `%twin mode auto 5%` sets "
    "another share), `every` (each call is checked) or `shapes` (none is, calls are recorded only); {!r} was not used."
)
WORDS = ("on", "off", "mode", "clear", "report", "here")


@magics_class
class TwinMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self._shell = shell
        self._session = session
        self._plain_cell = PlainCell()
        self._cells = CellReports(shell, session, self._report)
        self._actions: dict[str, Callable[[], None]] = {
            "on": self._on,
            "off": session.unwatch,
            "clear": session.clear,
        }

    def register(self) -> None:
        self._shell.register_magics(self)
        self._shell.input_transformers_cleanup.append(self._plain_cell)
        self._cells.start()

    def unregister(self) -> None:
        """What `register` did; for the magics themselves IPython has no word."""
        self._cells.stop()
        self._shell.input_transformers_cleanup.remove(self._plain_cell)
        for kind in ("line", "cell"):
            self._shell.magics_manager.magics[kind].pop("twin", None)
        self._shell.magics_manager.registry.pop(type(self).__name__, None)
        if self in self._shell.configurables:
            self._shell.configurables.remove(self)

    @line_cell_magic
    def twin(self, line: str, cell: str | None = None) -> None:
        """Shows what the layers of this notebook computed, beside their matmuls.

        `%twin` says what is watched; `%twin on|off|clear|report`; `%twin mode auto|every|shapes` sets which calls are
        checked (`%twin mode auto 5%` of the running time); `%twin a == b` compares two results; `%twin a` tells what is
        known of one; `%twin here` shows the tensors and what the next line will compute; `%%twin` runs the cell, checks
        all its calls and reports them; `%%twin --assert` fails it if one differs.
        """
        if cell is not None:  # called by code, as an exported notebook does; a cell's own `%%twin` is rewritten before
            self._shell.run_cell(f"%%twin {line}\n{cell}").raise_error()
            return
        word, _, rest = line.strip().partition(" ")
        if word == REPORT_AT_END:
            self._begin_cell(rest)
        else:
            self._answered(self._word, line.strip())

    def _on(self) -> None:
        self._session.watch()
        self._cells.keep_watching()

    def _begin_cell(self, argument: str) -> None:
        if argument not in ("", ASSERT):
            print(f"%%twin takes {ASSERT} or nothing; {argument!r} was not used.", file=sys.stderr)
        self._cells.begin(must_agree=argument == ASSERT)

    def _answered(self, action: Callable[[str], None], word: str) -> None:
        """A fault of ours is told as one: who asked shall not look for it in their own code, nor be left in silence."""
        try:
            action(word)
        except Exception as error:
            self._session.guard.caught(error)
            print(FAULT.format(word=f"%twin {word}".rstrip(), error=repr(error)), file=sys.stderr)

    def _word(self, word: str) -> None:
        first, _, rest = word.partition(" ")
        if word == "here" and word not in self._shell.user_ns:
            self._here()
        elif word == "report":
            self._report(0, self._session.latest(MAX_CALLS))
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
        from torchtwin.kernel.paused.here import show  # not needed to load the extension

        show(sys._getframe())

    def _summarise(self) -> None:
        from torchtwin.kernel.report import summary  # not needed to load the extension

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

    def _report(self, after: int, calls: list[Call]) -> None:
        from torchtwin.kernel.report import Report

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
