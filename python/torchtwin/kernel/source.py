"""Whether the text of a file still is the text of the code that runs. Proven: the text is compiled and compared."""

from __future__ import annotations

import dis
import functools
import linecache
from collections.abc import Iterator
from types import CodeType

Span = tuple[int, int, int, int]
"""First and last line, counted from 1, and the columns, in bytes, where they begin and end."""


def lines_of(code: CodeType, span: Span | None) -> list[str]:
    """The lines of the file that `code` was compiled from; empty where they tell of other code at `span` than runs.

    A cell's text was filed along with its code. A file may have been edited since it was imported.
    """
    file = code.co_filename
    lines = linecache.getlines(file)
    if _was_filed_with_its_code(file) or _tells_of(code, span, lines):
        return lines
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    return lines if _tells_of(code, span, lines) else []


def _was_filed_with_its_code(file: str) -> bool:
    entry = linecache.cache.get(file)
    return entry is not None and len(entry) == 4 and entry[1] is None


def _tells_of(code: CodeType, span: Span | None, lines: list[str]) -> bool:
    compiled = _compiled("".join(lines), code.co_filename).get((code.co_qualname, code.co_firstlineno))
    if compiled is None or span is None:
        return compiled is not None and compiled == code
    # Compared are the instructions of these words alone: pytest, for one, rewrites others of the same function.
    return list(_instructions(compiled, span)) == list(_instructions(code, span)) != []


@functools.lru_cache(maxsize=64)
def _compiled(text: str, file: str) -> dict[tuple[str, int], CodeType]:
    """Every code object of a file, by name and first line."""
    try:
        module = compile(text, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return {}
    return {(code.co_qualname, code.co_firstlineno): code for code in _within(module)}


def _within(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _within(constant)


def _instructions(code: CodeType, span: Span) -> Iterator[tuple[str, object]]:
    """Those whose place in the source lies within `span`; jumps by their kind alone."""
    first, last, start, end = span
    for it in dis.get_instructions(code):
        place = it.positions
        if place is None or place.lineno is None or place.end_lineno is None:
            continue
        begins, ends = (place.lineno, place.col_offset or 0), (place.end_lineno, place.end_col_offset or 0)
        if (first, start) <= begins and ends <= (last, end):
            yield it.opname, None if it.opcode in dis.hasjrel or it.opcode in dis.hasjabs else it.argval
