"""What a report says of calls, before it is text or HTML: their outcomes, and how passes of a loop fold."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from torchtwin.protocol import Call, Comparison, Match, Number, Site, Verdict

Outcome = Literal["failed", "differs", "agrees", "unchecked"]

MAX_SUGGESTIONS = 5
"""Ways out that are shown for a call that failed."""

MAX_MATCHES = 20
"""Variables that are shown to be, or nearly be, a result of the calls of one fold."""

_WORDS: dict[Outcome, tuple[str, str]] = {
    "failed": ("failed", "failed"),
    "differs": ("differs", "differ"),
    "agrees": ("agrees", "agree"),
    "unchecked": ("unchecked", "unchecked"),
}
_URGENCY: dict[Outcome, int] = {"failed": 0, "differs": 1, "agrees": 2, "unchecked": 2}
_LEADING_KIND = re.compile(r"^(identical|rounding( only)?|different|unchecked|not checked)\b[\s,:;]*")


def outcome(call: Call) -> Outcome:
    """The one word that stands for all verdicts of a call."""
    verdicts = [call.forward, call.gradients.weight, call.gradients.bias, call.gradients.input]
    if call.error is not None:
        return "failed"
    if any(verdict is not None and verdict.kind == "different" for verdict in verdicts):
        return "differs"
    return "unchecked" if call.forward.kind == "unchecked" else "agrees"


def counts(calls: Iterable[Call], unchecked: int = 0) -> str:
    """`1 failed, 2 agree`; empty for no calls. So many more are `unchecked`."""
    outcomes = Counter(outcome(call) for call in calls)
    outcomes["unchecked"] += unchecked
    numbers = {word: outcomes[word] for word in _WORDS}
    return ", ".join(f"{n:,} {_WORDS[word][n != 1]}" for word, n in numbers.items() if n)


def headline(calls: Sequence[Call]) -> str:
    """`2 calls: 2 agree`."""
    return f"{count_of(len(calls), 'call')}: {counts(calls)}" if calls else "no calls of nn.Linear were recorded"


def count_of(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def place(site: Site) -> str:
    """`cell [2], line 9`, or `model.py, line 9`; empty where unknown."""
    cell = "cell" if site.execution_count is None else f"cell [{site.execution_count}]"
    in_cell = site.cell_id is not None or site.execution_count is not None
    parts = [site.file or (cell if in_cell else None), None if site.line is None else f"line {site.line}"]
    return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Line:
    """One verdict of a fold, worded for a reader."""

    what: str
    verdict: Verdict
    """The one with the largest difference."""
    detail: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Fold:
    """Calls of one site and name: those with one outcome, as the passes of a loop, and those that were not checked."""

    calls: list[Call]

    @property
    def shown(self) -> Call:
        return self._told[0]

    @property
    def _told(self) -> list[Call]:
        """The calls whose verdicts are shown: the checked ones, where there are any."""
        return [call for call in self.calls if _is_checked(call)] or self.calls

    def lines(self) -> Iterator[Line]:
        told = self._told
        gradients = [call.gradients for call in told]
        for line in _line("output", [call.forward for call in told]):
            yield replace(line, remarks=(*line.remarks, *self._not_checked()))
        yield from _line("weight gradient", [of.weight for of in gradients])
        yield from _line("bias gradient", [of.bias for of in gradients])
        yield from _line("input gradient", [of.input for of in gradients])
        matches = {(match.name, match.of): match for call in self.calls for match in call.matches}
        yield from map(_matched, itertools.islice(matches.values(), MAX_MATCHES))

    def _not_checked(self) -> Iterator[str]:
        told = self._told
        others = [call.forward for call in self.calls if not _is_checked(call)]
        if others and len(told) < len(self.calls):
            reasons = " or ".join(dict.fromkeys(it.reason for it in others if it.reason))
            yield (
                f"these are the verdicts of {len(told):,} of the {len(self.calls):,} calls; "
                f"the others were not checked: {reasons}. `%twin mode every` checks each call."
            )

    def before_backward(self) -> bool:
        of = self.shown.gradients
        return self.shown.error is None and of.weight is None and of.bias is None and of.input is None


def comparison_lines(comparison: Comparison) -> Iterator[Line]:
    """The verdict on the values, and those on the gradients."""
    yield from map(_cause_first, _line("values", [comparison.verdict]))
    for gradient in comparison.gradients:
        yield from map(_cause_first, _line(f"gradient of {gradient.wrt}", [gradient.verdict]))


def differences(call: Call, names: Container[str] = ()) -> Iterator[str]:
    """A sentence for each thing of a call that is different from its twin, and for those of `names` that nearly are."""
    where = f"{call.name}, {place(call.site)}" if place(call.site) else call.name
    yield from (f"{where}: {what}" for what in wrong_in(call, names))


def wrong_in(call: Call, names: Container[str] = ()) -> Iterator[str]:
    """The same, without the name and the place of the call."""
    if call.error is not None:
        yield call.error.explanation
    of = call.gradients
    verdicts = [("output", call.forward), ("weight gradient", of.weight), ("bias gradient", of.bias)]
    for what, verdict in [*verdicts, ("input gradient", of.input)]:
        if verdict is not None and verdict.kind == "different":
            yield f"{what} {_sentence(verdict)}"
    for match in call.matches:
        if match.name in names and is_wrong(match):
            yield f"`{match.name}` {_sentence(match.verdict)}"


def of_cell(call: Call, changed: set[str]) -> Call:
    """Without the near misses of earlier cells, which those have told. `changed`: the variables of this one."""
    kept = [match for match in call.matches if match.name in changed or not is_near(match)]
    return msgspec.structs.replace(call, matches=kept)


def is_near(match: Match) -> bool:
    """Whether it only nearly is the output or gradient."""
    return match.verdict.kind == "different"


def is_wrong(match: Match) -> bool:
    """Whether it can only have been meant to be the output or gradient; another order alone may be what was wanted."""
    return is_near(match) and (match.verdict.diagnosis is None or match.verdict.diagnosis.code != "permuted")


def _sentence(verdict: Verdict) -> str:
    return f"{verdict.message}. {verdict.diagnosis.message if verdict.diagnosis else ''}".rstrip()


def fold(calls: Iterable[Call]) -> list[Fold]:
    """Failed calls first, then those that differ, else in the order in which they were made.

    Calls that were not checked are told with those of the same layer that were, of which most agree.
    """
    folds: dict[object, Fold] = {}
    for call in calls:
        folds.setdefault((_layer(call), _outcomes(call)), Fold([])).calls.append(call)
    joined = _joined(list(folds.values()))
    return sorted(joined, key=lambda it: _URGENCY[outcome(it.shown)])


def _joined(folds: list[Fold]) -> list[Fold]:
    """Each fold of unchecked calls as part of one with calls of the same layer that were checked, if there is one."""
    hosts: dict[object, Fold] = {}
    for it in folds:
        if _is_checked(it.shown):
            hosts[_layer(it.shown)] = max(hosts.get(_layer(it.shown), it), it, key=_fitness)
    kept = []
    for it in folds:
        host = hosts.get(_layer(it.shown))
        if host is None or outcome(it.shown) != "unchecked" or _is_checked(it.shown):
            kept.append(it)
        else:
            host.calls.extend(it.calls)
    return kept


def _fitness(fold: Fold) -> tuple[bool, int]:
    """To be told along with calls that were not checked: nothing suggests that those differ."""
    return outcome(fold.shown) == "agrees", len(fold.calls)


def _is_checked(call: Call) -> bool:
    """Whether anything of it was: its output, or a gradient alone."""
    of = call.gradients
    verdicts = [it for it in (call.forward, of.weight, of.bias, of.input) if it is not None]
    return call.error is None and any(it.kind != "unchecked" for it in verdicts)


def _layer(call: Call) -> object:
    o = call.operands
    shapes = tuple(None if it is None else tuple(it.shape) for it in (o.input, o.weight, o.bias, o.output))
    return call.site, call.name, call.expression, shapes


def _outcomes(call: Call) -> object:
    g = call.gradients
    kinds = tuple(None if it is None else it.kind for it in (call.forward, g.weight, g.bias, g.input))
    return kinds, None if call.error is None else (call.error.type, call.error.message)


def _line(what: str, verdicts: Sequence[Verdict | None]) -> Iterator[Line]:
    given = [verdict for verdict in verdicts if verdict is not None]
    if given:
        worst = max(given, key=lambda verdict: _size(verdict.units))
        yield Line(what, worst, _detail(worst, given), tuple(_remarks(worst, given)))


def _cause_first(line: Line) -> Line:
    """Whoever asks wants to know why; the figures are for those who read on."""
    diagnosis = line.verdict.diagnosis
    if diagnosis is None or diagnosis.code in ("unexplained", "shape"):
        return line
    cause, *rest = line.remarks
    return replace(line, detail=cause, remarks=(line.detail, *rest))


def _matched(match: Match) -> Line:
    of = "output" if match.of == "output" else f"{match.of} gradient"
    if is_near(match):
        remark = match.verdict.diagnosis.message if match.verdict.diagnosis else match.verdict.message
        return Line(match.name, match.verdict, f"nearly this {of}", (remark,))
    return Line(match.name, match.verdict, f"is this {of}", ())


def _size(number: Number | None) -> float:
    return float("inf") if number == "nan" else float(number or 0)


def _detail(worst: Verdict, given: Sequence[Verdict]) -> str:
    """The message without the kind, which stands beside it."""
    text = worst.reason or _LEADING_KIND.sub("", worst.message, count=1)
    alike = all(verdict.message == worst.message for verdict in given)
    return text if alike else f"{text} (the largest of {len(given):,})"


def _remarks(worst: Verdict, given: Sequence[Verdict]) -> Iterator[str]:
    if worst.diagnosis is not None:
        yield worst.diagnosis.message
    notes = [verdict.note for verdict in given if verdict.note is not None]
    if len(set(notes)) > 1:
        which = "the last call that was checked" if given[-1].note is not None else "one of the calls"
        yield f"in {which}: {notes[-1]}; the panel shows what was noted of each"
    elif notes:
        yield notes[0]
