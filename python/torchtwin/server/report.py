"""A session as one page of HTML, to keep and to pass on: no script, nothing from elsewhere, everything escaped."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

import msgspec

from torchtwin.protocol import Call, Operand, RawPage, Run, Tagged, Verdict
from torchtwin.server.answers import Summary
from torchtwin.server.heard import WORST_FIRST, Worst, worst

MAX_GROUPS = 2_000
MAX_TEXT = 2_000
_SIGNS: dict[Worst, str] = {
    "failed": "✕",
    "different": "✕",
    "rounding": "≈",
    "identical": "✓",
    "unchecked": "\N{EN DASH}",
}
_TIMES = "\N{MULTIPLICATION SIGN}"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CALL = msgspec.json.Decoder(Call)
_RUN = msgspec.json.Decoder(Run)
_TAGGED = msgspec.json.Decoder(Tagged)

_STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --page: #ffffff; --faint: #59636e; --line: #d1d9e0;
  --bad: #b3261e; --good: #1a7f37; --code: #f3f4f6; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e6e6; --page: #16181c; --faint: #9aa4af; --line: #3b4148;
  --bad: #ff8078; --good: #5fce7f; --code: #24282e; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--page); }
code { font: 13px/1.5 ui-monospace, monospace; background: var(--code); padding: 0 .25em; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5rem 0; } th, td { text-align: left; vertical-align: top;
  padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line); } th { font-weight: 600; }
details { border-top: 1px solid var(--line); padding: .5rem 0; } summary { cursor: pointer; }
.faint { color: var(--faint); } .failed, .different { color: var(--bad); } .rounding, .identical { color: var(--good); }
.unchecked { color: var(--faint); }
"""


class Group(NamedTuple):
    """Calls of one layer, at one place, with one expression."""

    name: str
    expression: str
    cell: str | None
    prompt: int | None
    file: str | None
    line: int | None


class Report:
    """Takes the pages of a session, then writes them down."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[Group, Worst]] = {}
        self._alike: dict[int, Counter[int]] = {}
        self._shown: dict[Group, dict[Worst, Call]] = defaultdict(dict)
        """Of each group, a call of each verdict."""

    def add(self, page: RawPage) -> None:
        for envelope in page.envelopes:
            kind = _TAGGED.decode(envelope.event).type
            if kind == "call":
                self._add(_CALL.decode(envelope.event))
            elif kind == "run":
                run = _RUN.decode(envelope.event)
                self._alike[run.first] = Counter(run.like)

    def _add(self, call: Call) -> None:
        """One that comes again has changed, and counts as it is now."""
        site = call.site
        group = Group(call.name, call.expression, site.cell_id, site.execution_count, site.file, site.line)
        if group in self._shown or len(self._shown) < MAX_GROUPS:
            self._shown[group].setdefault(worst(call), call)
        self._calls[call.id] = group, worst(call)

    def html(self, summary: Summary) -> str:
        title = f"Torchtwin · {_text(summary.path or summary.kernel)}"
        return "\n".join(
            [
                "<!DOCTYPE html>",
                '<html lang="en">',
                '<meta charset="utf-8">',
                '<meta name="viewport" content="width=device-width">',
                f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
                f"<title>{title}</title>",
                f"<style>{_STYLE}</style>",
                f"<h1>{title}</h1>",
                *_head(summary),
                *self._groups(),
                "</html>\n",
            ]
        )

    def _groups(self) -> Iterator[str]:
        counts: dict[Group, Counter[Worst]] = defaultdict(Counter)
        for group, kind in self._calls.values():
            counts[group][kind] += 1
        for like, times in sum(self._alike.values(), Counter[int]()).items():
            if like in self._calls:
                counts[self._calls[like][0]]["unchecked"] += times
        blocks = [(_worst(count), group, count) for group, count in counts.items() if group in self._shown]
        blocks.sort(key=lambda block: WORST_FIRST.index(block[0]) if block[0] in ("failed", "different") else 2)
        yield "<h2>Calls</h2>"
        for kind, group, count in blocks:
            shown = self._shown[group]
            yield _block(shown.get(kind) or next(iter(shown.values())), kind, count)
        if len(counts) > len(blocks):
            yield f"<p>{len(counts) - len(blocks):,} more places are not shown.</p>"


def _worst(count: Counter[Worst]) -> Worst:
    return next(kind for kind in WORST_FIRST if count[kind])


def _head(summary: Summary) -> Iterator[str]:
    versions = []
    if summary.state is not None:
        versions = [f"torchtwin {summary.state.torchtwin}", f"torch {summary.state.torch or 'not imported'}"]
    facts = [f"session {summary.session}", f"{_when(summary.began)} to {_when(summary.seen)}", *versions]
    yield f'<p class="faint">{_text(" · ".join(facts))}</p>'
    counts = msgspec.structs.asdict(summary.verdicts)
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    dropped = f" {summary.dropped:,} older ones are no longer kept." if summary.dropped else ""
    yield f"<p>{summary.calls:,} call{'' if summary.calls == 1 else 's'}{f': {told}' if told else ''}.{dropped}</p>"
    rows = [
        f"<tr><td><code>{_text(layer.name)}</code><td>{layer.calls:,}<td>{_badge(layer.worst)}"
        for layer in summary.layers
    ]
    yield f"<h2>Layers</h2><table><tr><th>Layer<th>Calls<th>Worst verdict{''.join(rows)}</table>"
    if summary.left_out:
        yield f"<p>{summary.left_out:,} more layers are not listed.</p>"


def _block(call: Call, kind: Worst, count: Counter[Worst]) -> str:
    times = f" {_TIMES} {count.total():,}" if count.total() > 1 else ""
    others = " · " + ", ".join(f"{some:,} {name}" for name, some in count.items()) if len(count) > 1 else ""
    head = (
        f"{_badge(kind)} <strong>{_text(call.name)}</strong> <code>{_text(call.expression)}</code>{times}"
        f' <span class="faint">{_text(_place(call))} {others}</span>'
    )
    source = f"<p><code>{_text(call.site.source)}</code></p>" if call.site.source else ""
    body = source + _failure(call) + _operands(call) + _verdicts(call)
    return f"<details{' open' if kind in ('failed', 'different') else ''}><summary>{head}</summary>{body}</details>"


def _failure(call: Call) -> str:
    error = call.error
    if error is None:
        return ""
    fits = "".join(f"<li>{_prose(it)}" for it in error.suggestions)
    said = f'<p class="faint">{_text(error.type)}: {_text(error.message)}</p>'
    return f"<p>{_prose(error.explanation)}</p>" + (f"<ul>{fits}</ul>" if fits else "") + said


def _operands(call: Call) -> str:
    operands = call.operands
    of = [("input", operands.input), ("weight", operands.weight), ("bias", operands.bias), ("output", operands.output)]
    rows = "".join(_operand(role, operand) for role, operand in of if operand is not None)
    return f"<table><tr><th>Operand<th>Name<th>Shape<th>dtype<th>Device{rows}</table>" if rows else ""


def _operand(role: str, operand: Operand) -> str:
    cells = [f"<code>{_text(operand.name)}</code>", str(operand.shape), _text(operand.dtype), _text(operand.device)]
    return f"<tr><td>{role}<td>{'<td>'.join(cells)}"


def _verdicts(call: Call) -> str:
    grads, formulas = call.gradients, call.gradient_formulas
    of = [
        ("output", call.expression, call.forward),
        ("weight gradient", formulas.weight, grads.weight),
        ("bias gradient", formulas.bias, grads.bias),
        ("input gradient", formulas.input, grads.input),
    ]
    rows = "".join(_verdict(role, formula or "", verdict) for role, formula, verdict in of if verdict is not None)
    return f"<table><tr><th>Of<th>Formula<th>Verdict{rows}</table>"


def _verdict(role: str, formula: str, verdict: Verdict) -> str:
    message = "" if verdict.message == verdict.kind else verdict.message
    said = [message, verdict.diagnosis.message if verdict.diagnosis else None, verdict.note]
    proven = " (proven)" if verdict.proof else ""
    words = "<br>".join(_prose(it) for it in said if it)
    return f"<tr><td>{role}<td><code>{_text(formula)}</code><td>{_badge(verdict.kind)}{proven} {words}"


def _badge(kind: Worst) -> str:
    return f'<span class="{kind}">{_SIGNS[kind]} {kind}</span>'


def _place(call: Call) -> str:
    site = call.site
    cell = f"In [{site.execution_count}]" if site.execution_count is not None else None
    line = f"line {site.line}" if site.line is not None else None
    return ", ".join(it for it in (cell or site.file, line) if it)


def _when(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _text(text: str) -> str:
    """Bounded, with what is invisible or turns the direction of writing spelled out, and markup escaped."""
    text = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
    return escape("".join(_visible(character) for character in text))


def _visible(character: str) -> str:
    if character in "\n\t" or not unicodedata.category(character).startswith("C"):
        return character
    return character.encode("unicode_escape").decode()


def _prose(text: str) -> str:
    """A sentence with code in backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))
