"""Whether the words in a file still are those of the code that runs. Proven: the file is compiled and compared."""

from __future__ import annotations

import dis
import functools
import io
import linecache
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import CodeType

from torchtwin.kernel import texts
from torchtwin.kernel.compiling import UNREADABLE, compiled
from torchtwin.kernel.words import in_one_line

Span = tuple[int, int, int, int]
"""First and last line, counted from 1, and the columns, in bytes, where they begin and end."""
_WITHOUT_MEANING = {"NOP", "CACHE", "EXTENDED_ARG"}
"""Instructions that are there or not as the code around requires."""
_CALL = re.compile(r"CALL(_KW|_FUNCTION_EX)?$")
_TWO_IN_ONE = re.compile(r"((?:LOAD|STORE)_FAST(?:_BORROW)?)_((?:LOAD|STORE)_FAST(?:_BORROW)?)$")


@dataclass(frozen=True)
class Written:
    """What a place in the source says, as far as it is known to be what runs."""

    line: str | None = None
    """The line, stripped; the words alone where something else in the line is not what runs."""
    words: str | None = None


def written(code: CodeType, line: int, span: Span | None) -> Written:
    """The line, and the words at `span`, of the text that `code` was compiled from.

    A cell's text was filed along with its code. A file may have been edited since it was imported: then nothing is told
    but what compiles to the very instructions that run.
    """
    file = code.co_filename
    if _was_filed_with_its_code(file):
        known = lines(texts.text_of(file) or "".join(linecache.getlines(file)))
        return Written(_line(known, line), cut(known, span))
    found = _proven(code, line, span)
    if found.line is None:
        linecache.checkcache(file)  # it may hold an older text than was imported
        found = _proven(code, line, span)
    return found


def text_of(code: CodeType) -> str:
    """The text that `code` seems to be compiled from; `runs` says whether a part of it is what runs."""
    file = code.co_filename
    if _was_filed_with_its_code(file):
        return texts.text_of(file) or "".join(linecache.getlines(file))
    linecache.checkcache(file)
    return "".join(linecache.getlines(file))


def runs(code: CodeType, text: str, span: Span) -> bool:
    """Whether the words at `span` of the text compile to the very instructions that `code` has there."""
    if _was_filed_with_its_code(code.co_filename):
        return True
    first, last, start, end = span

    def within(steps: Iterator[_Step]) -> list[_Step]:
        return [it for it in steps if (first, start) <= it.begins and it.ends <= (last, end)]

    done = _done(within(_steps(code)))
    others = _codes(text, code.co_filename).get(_name(code), ())
    return done != [] and any(_done(within(_steps(other))) == done for other in others)


def _was_filed_with_its_code(file: str) -> bool:
    entry = linecache.cache.get(file)
    return texts.text_of(file) is not None or (entry is not None and len(entry) == 4 and entry[1] is None)


def lines(text: str) -> list[str]:
    """As Python's parser ends them; `str.splitlines` knows more ends."""
    return list(io.StringIO(text, newline=None))


def _line(lines: list[str], number: int) -> str | None:
    return lines[number - 1].strip() if 0 < number <= len(lines) else None


def cut(lines: list[str], span: Span | None) -> str | None:
    """A piece of source; null where there is none."""
    if span is None:
        return None
    first, last, column, end_column = span
    if not 0 < first <= last <= len(lines):
        return None
    head, tail = lines[first - 1].encode(), lines[last - 1].encode()
    if first == last:
        parts = [head[column:end_column]]
    else:
        parts = [head[column:], *(line.encode() for line in lines[first : last - 1]), tail[:end_column]]
    try:
        return b"".join(parts).decode()
    except UnicodeDecodeError:  # another text stands there now
        return None


def _proven(code: CodeType, line: int, span: Span | None) -> Written:
    text = "".join(linecache.getlines(code.co_filename))
    known, ran = lines(text), list(_steps(code))
    others = [list(_steps(other)) for other in _codes(text, code.co_filename).get(_name(code), ())]

    def is_proven(chosen: Callable[[list[_Step]], list[_Step]]) -> bool:
        done = _done(chosen(ran))
        return done != [] and any(_done(chosen(other)) == done for other in others)

    words = cut(known, span)
    if span is not None and (words is None or not is_proven(lambda steps: _of_words(steps, span))):
        return Written()
    if is_proven(lambda steps: [step for step in steps if step.begins[0] == line]):
        return Written(_line(known, line), words)
    return Written(None if words is None else in_one_line(words), words)


@functools.lru_cache(maxsize=64)
def _codes(text: str, file: str) -> Mapping[tuple[str, int], list[CodeType]]:
    """Every code object of a file by name and first line, which two lambdas may share."""
    found = defaultdict(list)
    try:
        for code in _within(compiled(text, file)):
            found[_name(code)].append(code)
    except UNREADABLE:
        pass
    return found


def _name(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _within(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _within(constant)


@dataclass(frozen=True)
class _Step:
    """One instruction."""

    does: str
    what: object
    offset: int
    target: int | None
    """The offset that a jump leads to."""
    begins: tuple[int, int]
    """The line and the column where its words begin."""
    ends: tuple[int, int]


def _steps(code: CodeType) -> Iterator[_Step]:
    """The instructions that have a place in the source."""
    instructions = [it for it in dis.get_instructions(code) if it.opname not in _WITHOUT_MEANING]
    steps = [_step(it) for it in instructions]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step is not None:
            yield from _apart(step, following)


def _apart(step: _Step, following: _Step | None) -> Iterator[_Step]:
    """Python 3.13 joins what two words do, if they are neighbours, under the place of the first of them."""
    joined = _TWO_IN_ONE.match(step.does)
    if joined is None or not isinstance(step.what, tuple):
        yield step
        return
    first, second = step.what
    yield replace(step, does=joined[1], what=first)
    place = following or step
    yield replace(step, does=joined[2], what=second, begins=place.begins, ends=place.ends)


def _step(it: dis.Instruction) -> _Step | None:
    place = it.positions
    if place is None or place.lineno is None or place.end_lineno is None:
        return None
    jumps = it.opcode in dis.hasjrel or it.opcode in dis.hasjabs
    what, target = (None, it.argval) if jumps else (_distinct(it.argval), None)
    begins, ends = (place.lineno, place.col_offset or 0), (place.end_lineno, place.end_col_offset or 0)
    return _Step(it.opname, what, it.offset, target, begins, ends)


def _of_words(steps: list[_Step], span: Span) -> list[_Step]:
    """Those of the words at `span`, up to the call that they spell.

    What follows under the same place uses what the call gave, as a loop does, or pytest for its messages.
    """
    first, last, start, end = span
    within = [it for it in steps if (first, start) <= it.begins and it.ends <= (last, end)]
    whole = (it.begins == (first, start) and it.ends == (last, end) and _CALL.match(it.does) for it in within)
    return within[: next((number for number, is_call in enumerate(whole, 1) if is_call), None)]


def _done(steps: list[_Step]) -> list[tuple[str, object, int | None]]:
    """What the steps do; a jump leads to the step of that number, or to none of them."""
    offsets = [step.offset for step in steps]
    return [(it.does, it.what, None if it.target is None else bisect_left(offsets, it.target)) for it in steps]


def _distinct(value: object) -> object:
    """For comparison: 1, 1.0 and True are equal, and so are 0.0 and -0.0, but not what is done with them."""
    if isinstance(value, CodeType):
        return value
    if isinstance(value, tuple):
        return tuple(map(_distinct, value))
    if isinstance(value, frozenset):
        return frozenset(map(_distinct, value))
    return type(value), repr(value)
