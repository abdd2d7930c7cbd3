"""The report as HTML: static, everything escaped, readable with all style removed and on any background."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from torchtwin.kernel.report_columns import clean, elide
from torchtwin.kernel.report_model import (
    MAX_SUGGESTIONS,
    Fold,
    Line,
    comparison_lines,
    count_of,
    counts,
    headline,
    place,
)
from torchtwin.kernel.report_terms import Term, names_that_fit, terms
from torchtwin.protocol import Call, Comparison, Failure

# Mid-tones: about as far from white as from a dark theme's background. Never the only sign of anything.
_GREEN, _RED, _BLUE, _GREY = "#2e8b57", "#d9534f", "#2b83c6", "#888888"
_DASH, _TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
_SIGNS = {"identical": "✓", "rounding": "≈", "different": "✕", "unchecked": _DASH}
_COLOURS = {"identical": _GREEN, "rounding": _GREEN, "different": _RED}
_ARROWS = {"->": "→"}
_ROOM = 84
"""Characters in a line of code."""

_BOX = "max-width: 760px; overflow-x: auto; font-size: 13px; line-height: 1.45"
_CALL = f"margin: 8px 0px; padding: 7px 0px 0px 0px; border-top: 1px solid {_GREY}"
_CARD = f"margin: 8px 0px; padding: 7px 10px; border: 1px solid {_RED}; border-left: 3px solid {_RED}"
_TABLE = "border-collapse: collapse; margin: 3px 0px; width: auto; font-size: 13px; line-height: 1.45"
_ROW = "background-color: rgba(0, 0, 0, 0)"
_CODE = "background-color: rgba(0, 0, 0, 0); padding: 0px"
_MUTED = "opacity: 0.75"


def html(calls: Sequence[Call], shown: Sequence[Fold], hidden: Sequence[Call]) -> str:
    """The headline, a block for each fold, and what is left out."""
    parts = [f"<div><strong>{_text(headline(calls))}</strong></div>", *(_block(fold) for fold in shown)]
    if hidden:
        parts.append(_element("div", _CALL, f"and {count_of(len(hidden), 'call')} more: {counts(hidden)}"))
    return _element("div", _BOX, "\n".join(parts)) + "\n"


def comparison_html(comparison: Comparison) -> str:
    """The two sides, and a verdict for the values and each gradient."""
    sides = f"<div>{_code(comparison.actual)} == {_code(comparison.expected)}</div>"
    rows = [_verdict(line) for line in comparison_lines(comparison)]
    return _element("div", _BOX, sides + _table(rows)) + "\n"


def _element(tag: str, style: str, content: str) -> str:
    """`content` is HTML already."""
    return f'<{tag} style="{style}">{content}</{tag}>'


def _code(text: str) -> str:
    return _element("code", _CODE, _text(text))


def _text(text: str) -> str:
    """Any text, harmless: one line, control characters spelled out, markup escaped, bounded."""
    return escape(clean(text))


def _prose(text: str) -> str:
    """A sentence with code in backticks."""
    return re.sub(r"`([^`]+)`", _element("code", _CODE, r"\1"), _text(text))


def _block(fold: Fold) -> str:
    call = fold.shown
    parts = [_head(fold), _formula(terms(call), call.expression)]
    parts += [_verdicts(fold)] if call.error is None else _failure(call.error)
    return _element("div", _CALL if call.error is None else _CARD, "".join(parts))


def _head(fold: Fold) -> str:
    call, times = fold.shown, len(fold.calls)
    failed = "" if call.error is None else _coloured("✕ failed", _RED) + " "
    repeated = f" {_TIMES} {times:,}" if times > 1 else ""
    return f"<div>{failed}<strong>{_text(call.name)}</strong>{repeated} {_site(call)}</div>"


def _site(call: Call) -> str:
    source = _code(call.site.source) if call.site.source else ""
    parts = [part for part in (_text(place(call.site)), source) if part]
    return _element("span", _MUTED, "".join(f"· {part} " for part in parts))


def _coloured(text: str, colour: str) -> str:
    return _element("strong", f"color: {colour}", text)


def _formula(row: list[Term], expression: str) -> str:
    if not row:
        return f"<div>{_code(expression)}</div>"
    texts = names_that_fit(row, _ROOM) or [elide(clean(term.text), 20) for term in row]
    names = "".join(_sign(term) + _cell(_code(text)) for term, text in zip(row, texts, strict=True))
    shapes = "".join(_cell("") + _cell(_element("code", _CODE, _shape(term))) for term in row)
    return _table([names, shapes])


def _sign(term: Term) -> str:
    return _cell(_code(_ARROWS.get(term.sign, term.sign)) if term.sign else "")


def _shape(term: Term) -> str:
    sizes = enumerate(term.shape or [])
    return "?" if term.shape is None else f"[{', '.join(_dim(term, dim, size) for dim, size in sizes)}]"


def _dim(term: Term, dim: int, size: int) -> str:
    if dim in term.clash:
        return _coloured(str(size), _RED)
    return _coloured(str(size), _BLUE) if dim == term.inner else str(size)


def _cell(content: str, more: str = "text-align: center; white-space: nowrap") -> str:
    return _element("td", f"padding: 0px 8px 0px 0px; vertical-align: top; {more}", content)


def _table(rows: Sequence[str]) -> str:
    body = "".join(_element("tr", _ROW, row) for row in rows)
    return _element("table", _TABLE, f"<tbody>{body}</tbody>")


def _verdicts(fold: Fold) -> str:
    rows = [_verdict(line) for line in fold.lines()]
    if fold.before_backward():
        rows.append(_row_of("gradients", f"{_DASH} not yet", "no backward so far"))
    return _table(rows)


def _row_of(what: str, word: str, detail: str) -> str:
    left = "text-align: left"
    return _cell(what, f"{left}; min-width: 110px") + _cell(word, f"{left}; min-width: 85px") + _cell(detail, left)


def _verdict(line: Line) -> str:
    kind = line.verdict.kind
    word = f"{_SIGNS[kind]} {kind}"
    marked = _coloured(word, _COLOURS[kind]) if kind in _COLOURS else word
    detail = "<br>".join(_prose(part) for part in (line.detail, *line.remarks))
    return _row_of(_text(line.what), marked, detail)


def _failure(error: Failure) -> Iterator[str]:
    yield f"<div>{_prose(error.explanation)}</div>"
    if error.suggestions:
        items = "".join(f"<li>{_prose(suggestion)}</li>" for suggestion in error.suggestions[:MAX_SUGGESTIONS])
        yield _element("ul", "margin: 2px 0px; padding: 0px 0px 0px 20px", items)
    if error.message not in error.explanation:
        yield _element("div", _MUTED, f"{_text(error.type)}: {_text(error.message)}")
