"""The report as text, aligned for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torchtwin.kernel.report_columns import beside, center, clean, elide, hang, shorten_path, width
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
from torchtwin.kernel.report_terms import Term, Told, column_widths, names_that_fit, shape_text, terms
from torchtwin.protocol import Call, Comparison, Failure

COLUMNS = 80
SIGNS = {"identical": "=", "rounding": "~", "different": "!", "unchecked": "-"}
_INDENT = "  "
_ROOM = COLUMNS - len(_INDENT)


def text(calls: Sequence[Call], shown: Sequence[Fold], hidden: Sequence[Call]) -> str:
    """The headline, a block for each fold, and what is left out."""
    blocks = [headline(calls), *("\n".join(_block(fold)) for fold in shown)]
    if hidden:
        blocks.append(f"and {count_of(len(hidden), 'call')} more: {counts(hidden)}")
    return "\n\n".join(blocks)


def comparison_text(comparison: Comparison) -> str:
    """The two sides, and a verdict for the values and each gradient."""
    sides = f"{elide(clean(comparison.actual), 36)} == {elide(clean(comparison.expected), 36)}"
    found = list(comparison_lines(comparison))
    room = max(width(_label(it)) for it in found)
    lines = (line for it in found for line in _verdict(it, room))
    return "\n".join([sides, *lines])


def _block(fold: Fold) -> Iterator[str]:
    call = fold.shown
    yield from _head(fold)
    yield from formula(call)
    if call.error is not None:
        yield from failure(call.error)
    else:
        lines = list(fold.lines())
        room = max(16, *(width(_label(line)) for line in lines))
        for line in lines:
            yield from _verdict(line, room)
        if fold.before_backward():
            yield f"{_INDENT}{'gradients':16} - not yet    no backward so far"


def _head(fold: Fold) -> Iterator[str]:
    call, times = fold.shown, len(fold.calls)
    failed = "! failed  " if call.error is not None else ""
    name = f"{failed}{elide(clean(call.name), 50)}" + (f", {times:,} times" if times > 1 else "")
    yield from beside(name, shorten_path(clean(place(call.site)), 60), COLUMNS)


def formula(call: Told) -> Iterator[str]:
    """Two lines, shapes under operands; for very long ones a line for each operand."""
    row, expression = terms(call), clean(call.expression)
    names = names_that_fit(row, _ROOM)
    if not row:
        yield _INDENT + elide(expression, _ROOM)
    elif names is None:
        yield from (_one_line(term) for term in row)
    else:
        yield from _two_lines(row, names, column_widths(row, names))


def _one_line(term: Term) -> str:
    wrong = ", ".join(str(size) for dim, size in enumerate(term.shape or []) if dim in term.clash)
    remark = f"  <- {wrong} does not fit" if wrong else ""
    return elide(
        f"{_INDENT}{term.sign:2} {elide(clean(term.text), 32)}  {elide(shape_text(term), 24)}{remark}", COLUMNS
    )


def _two_lines(row: list[Term], names: list[str], widths: list[int]) -> Iterator[str]:
    yield _joined(row, names, widths)
    yield _joined(row, [shape_text(term) for term in row], widths)
    if any(term.clash for term in row):
        yield _joined([Term(" " * len(term.sign), "", None) for term in row], [_carets(term) for term in row], widths)


def _joined(row: list[Term], cells: list[str], widths: list[int]) -> str:
    parts = [f"{term.sign} " if term.sign else "" for term in row]
    columns = [part + center(cell, room) for part, cell, room in zip(parts, cells, widths, strict=True)]
    return (_INDENT + " ".join(columns)).rstrip()


def _carets(term: Term) -> str:
    """`^` under each dimension that does not fit, as wide as the shape."""
    marks = [("^" if dim in term.clash else " ") * len(str(size)) for dim, size in enumerate(term.shape or [])]
    return f" {'  '.join(marks)} "


def _label(line: Line) -> str:
    return elide(clean(line.what), 28)


def _verdict(line: Line, room: int) -> Iterator[str]:
    label = _label(line)
    head = f"{_INDENT}{label}{' ' * (room - width(label))} {SIGNS[line.verdict.kind]} {line.verdict.kind:10} "
    yield from hang(head, clean(line.detail), COLUMNS)
    for remark in line.remarks:
        yield from hang(" " * len(head), clean(remark), COLUMNS)


def failure(error: Failure) -> Iterator[str]:
    """Why it does not fit, and what would."""
    yield from hang(_INDENT, clean(error.explanation), COLUMNS)
    for suggestion in error.suggestions[:MAX_SUGGESTIONS]:
        yield from hang(f"{_INDENT}* ", clean(suggestion), COLUMNS)
    if error.message not in error.explanation:
        yield from hang(_INDENT, f"({clean(error.type)}: {clean(error.message)})", COLUMNS)
