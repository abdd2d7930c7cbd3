"""Where a call was made, and in which words: the first frame outside torch, and the source text of its call."""

from __future__ import annotations

import ast
import dis
import functools
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Literal

import torch
from torch import nn

from torchtwin.kernel.kinds import is_module
from torchtwin.kernel.source import Span, lines_of

TORCH = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep

_SWAPS = os.path.join(TORCH, "nn", "utils", "stateless.py")
_STORES = ("STORE_NAME", "STORE_FAST", "STORE_GLOBAL", "STORE_DEREF")
# What lies between the user's `fc(x)` and the layer's `forward`.
_MODULE_CALL = (nn.Module._call_impl.__code__, nn.Module._wrapped_call_impl.__code__)

Route = Literal["module", "forward", "function", "inside"]
"""How the user's code got to `F.linear`: `fc(x)`, `fc.forward(x)`, `F.linear(x, w)`, or inside other torch code."""


@dataclass(frozen=True)
class Text:
    """The call in the user's words. Parts that the source does not tell are null or missing."""

    file: str
    line: int
    source: str | None = None
    """The source line, stripped."""
    call: str | None = None
    callee: str | None = None
    args: tuple[str, ...] = ()
    """Positional arguments up to the first starred one."""
    keywords: dict[str, str] = field(default_factory=dict)
    target: str | None = None
    """The name that the call's result is bound to by the statement itself."""


@dataclass(frozen=True)
class Caller:
    """The user's side of a call. Holds frames, so it must not outlive the call."""

    frame: FrameType
    route: Route
    module: nn.Module | None
    """The nearest module of torch's own whose method led to the call."""
    plain: bool
    """Whether that is `nn.Linear.forward` itself, which passes the module's own `weight` and `bias`."""
    swapped: bool
    """Whether `torch.func.functional_call` has put other tensors into the module for the time of the call."""
    text: Text


def caller(frame: FrameType) -> Caller:
    """The user's side of the call of `F.linear` that was made in `frame`."""
    torch_frames = list(itertools.takewhile(_in_torch, _outwards(frame)))
    user = torch_frames[-1].f_back if torch_frames else frame
    if user is None:  # torch itself is the program
        user = frame
    route = _route([f.f_code for f in torch_frames])
    plain = bool(torch_frames) and torch_frames[0].f_code is nn.Linear.forward.__code__
    words = _text(user.f_code, user.f_code.co_filename, user.f_lasti)
    swapped = any(f.f_code.co_filename == _SWAPS for f in torch_frames)
    return Caller(user, route, _module(torch_frames), plain, swapped, words)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _in_torch(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(TORCH)


def _route(codes: list[CodeType]) -> Route:
    if not codes:
        return "function"
    if codes[0].co_name != "forward":
        return "inside"
    if len(codes) == 1:
        return "forward"
    return "module" if tuple(codes[1:]) == _MODULE_CALL else "inside"


def _module(torch_frames: list[FrameType]) -> nn.Module | None:
    # Frames of torch's own, about to end: reading their locals keeps nothing of the user's.
    owners = (frame.f_locals["self"] for frame in torch_frames if "self" in frame.f_code.co_varnames[:1])
    return next((owner for owner in owners if is_module(owner)), None)


@functools.lru_cache(maxsize=4096)
def _text(code: CodeType, file: str, instruction: int) -> Text:
    """The words of the call at `instruction` (a frame's `f_lasti`) of `code`.

    `file` is part of the key because code objects of two cells with the same text are equal.
    """
    position = next(itertools.islice(code.co_positions(), instruction // 2, None), None)
    line, end_line, column, end_column = position or (None, None, None, None)
    first = line or code.co_firstlineno
    span = None
    if line is not None and end_line is not None and column is not None and end_column is not None:
        span = (line, end_line, column, end_column)
    lines = lines_of(code, span)
    if not 0 < first <= len(lines):
        return Text(file, first)
    source = lines[first - 1].strip()
    if span is None:
        return Text(file, first, source)
    return _words(Text(file, first, source, target=_stored(code, instruction)), _cut(lines, span))


def _cut(lines: list[str], span: Span) -> str:
    """A piece of source."""
    first, last, column, end_column = span
    head, tail = lines[first - 1].encode(), lines[last - 1].encode()
    if first == last:
        parts = [head[column:end_column]]
    else:
        parts = [head[column:], *(line.encode() for line in lines[first : last - 1]), tail[:end_column]]
    return b"".join(parts).decode()


def _stored(code: CodeType, instruction: int) -> str | None:
    """The variable that takes the result: the instruction after the call is a store."""
    following = next((i for i in dis.get_instructions(code) if i.offset > instruction), None)
    if following is None or not following.opname.startswith(_STORES):
        return None
    name = following.argval[0] if isinstance(following.argval, tuple) else following.argval
    return str(name)


def _words(place: Text, segment: str) -> Text:
    wrapped = f"({segment})"  # a call may go over several lines
    try:
        node = ast.parse(wrapped, mode="eval").body
    except SyntaxError:
        return place
    if not isinstance(node, ast.Call):
        return place

    def words(part: ast.expr) -> str:
        written = ast.get_source_segment(wrapped, part) or ""
        return written if written and "\n" not in written else ast.unparse(part)

    plain = itertools.takewhile(lambda arg: not isinstance(arg, ast.Starred), node.args)
    return Text(
        file=place.file,
        line=place.line,
        source=place.source,
        call=" ".join(segment.split()),
        callee=words(node.func),
        args=tuple(words(arg) for arg in plain),
        keywords={k.arg: words(k.value) for k in node.keywords if k.arg is not None},
        target=place.target,
    )
