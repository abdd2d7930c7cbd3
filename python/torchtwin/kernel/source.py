"""Whether the words in a file still are those of the code that runs. Proven: they are compiled and compared."""

from __future__ import annotations

import ast
import dis
import linecache
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import CodeType

from torchtwin.kernel.words import parsed

Span = tuple[int, int, int, int]
"""First and last line, counted from 1, and the columns, in bytes, where they begin and end."""
_LOADS = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_")
_OF_THE_SURROUNDINGS = {"NOP", "PUSH_NULL", "RESUME", "COPY_FREE_VARS", "EXTENDED_ARG"}
"""Instructions that depend on whether a name is local, and on how much code stands around."""
_METHODS = {"LOAD_METHOD": "LOAD_ATTR"}
"""`torch.ones(2)` is compiled as an attribute's call where the file imports torch, and else as a method's."""
_TAKES = ("POP_", "TO_BOOL", "JUMP_", "GET_ITER", "FOR_ITER", "BEFORE_WITH", "GET_AWAITABLE", "RETURN_", "YIELD_VALUE")
"""What happens to what the words give, as in `for row in fc(x)`; at a function's end `None` is loaded to return."""
_LITERALS = (
    *(ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.JoinedStr, ast.FormattedValue, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def words_at(code: CodeType, span: Span | None) -> tuple[list[str], str | None]:
    """The lines of the file that `code` was compiled from, and the words at `span`.

    A cell's text was filed along with its code. A file may have been edited since it was imported: the words are null,
    and the lines none, where they don't compile to the instructions that run.
    """
    file = code.co_filename
    lines = linecache.getlines(file)
    if _was_filed_with_its_code(file):
        return lines, _cut(lines, span)
    if _compile_to(code, span, words := _cut(lines, span)):
        return lines, words
    linecache.checkcache(file)  # it may hold an older text than was imported
    lines = linecache.getlines(file)
    return (lines, words) if _compile_to(code, span, words := _cut(lines, span)) else ([], None)


def _was_filed_with_its_code(file: str) -> bool:
    entry = linecache.cache.get(file)
    return entry is not None and len(entry) == 4 and entry[1] is None


def _cut(lines: list[str], span: Span | None) -> str | None:
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


def _compile_to(code: CodeType, span: Span | None, words: str | None) -> bool:
    """Whether the words give the instructions of `code` at `span`.

    Those alone: another part of the file may have been edited, and pytest rewrites other words of a function.
    """
    node = None if words is None else parsed(words)
    if span is None or words is None or node is None or _is_warned_of(node):
        return False
    compiled = _compiled(words, code)
    if compiled is None:
        return False
    *told, _ = _told(dis.get_instructions(compiled))  # the last one returns
    ran = list(_told(_within(code, span)))
    return ran[: len(told)] == told and all(map(_takes, ran[len(told) :]))


def _takes(instruction: tuple[str, object]) -> bool:
    """Whether it is one of those that follow the words' own, and are filed under the words' place."""
    return instruction == ("LOAD_CONST", None) or instruction[0].startswith(_TAKES)


def _is_warned_of(node: ast.expr) -> bool:
    """Whether Python warns each time it compiles this: a literal that is called or indexed, or compared by `is`."""
    for part in ast.walk(node):
        match part:
            case ast.Call(func=whole) | ast.Subscript(value=whole) if isinstance(whole, _LITERALS):
                return True
            case ast.Compare(left, operators, others) if any(isinstance(it, ast.Is | ast.IsNot) for it in operators):
                if any(isinstance(it, _LITERALS) and not _is_singleton(it) for it in (left, *others)):
                    return True
    return False


def _is_singleton(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _compiled(words: str, like: CodeType) -> CodeType | None:
    """The words as the body of a function in a class of the same name, where `__layer` becomes `_Model__layer`."""
    first = next((name for name in like.co_varnames[:1] if name.isidentifier()), "")  # `super()` needs it
    function, around = f"def words({first}): return ({words})", _class_around(like)
    try:
        code = compile(f"class {around}:\n {function}" if around else function, "<words>", "exec", dont_inherit=True)
    except SyntaxError:  # `await`, for one, has no place there
        return None
    while code.co_name != "words":
        code = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
    return code


def _class_around(code: CodeType) -> str | None:
    pairs = pairwise(reversed(code.co_qualname.split(".")))
    return next((outer for inner, outer in pairs if "<locals>" not in (inner, outer)), None)


def _within(code: CodeType, span: Span) -> Iterator[dis.Instruction]:
    """The instructions whose place in the source lies within `span`."""
    first, last, start, end = span
    for it in dis.get_instructions(code):
        place = it.positions
        if place is None or place.lineno is None or place.end_lineno is None:
            continue
        begins, ends = (place.lineno, place.col_offset or 0), (place.end_lineno, place.end_col_offset or 0)
        if (first, start) <= begins and ends <= (last, end):
            yield it


def _told(instructions: Iterable[dis.Instruction]) -> Iterator[tuple[str, object]]:
    """What instructions do wherever their words stand: jumps by their kind alone, names wherever they are kept."""
    for it in instructions:
        if it.opname.startswith(_LOADS):
            yield from (("LOAD", name) for name in (it.argval if isinstance(it.argval, tuple) else [it.argval]))
        elif isinstance(it.argval, CodeType):
            yield it.opname, tuple(_told(dis.get_instructions(it.argval)))
        elif it.opname not in _OF_THE_SURROUNDINGS:
            name = _METHODS.get(it.opname, it.opname)
            yield name, None if it.opcode in dis.hasjrel or it.opcode in dis.hasjabs else it.argval
