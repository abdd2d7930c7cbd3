"""Where a call was made, and in which words: the first frame outside torch, and the source text of its call."""

from __future__ import annotations

import ast
import dis
import functools
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import CodeType, FrameType
from typing import Any, Literal

import torch
from torch import nn

from torchtwin.kernel.kinds import is_module
from torchtwin.kernel.source import written
from torchtwin.kernel.words import in_one_line, parsed, words_of

TORCH = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep

_SWAPS = os.path.join(TORCH, "nn", "utils", "stateless.py")
_STORES = ("STORE_NAME", "STORE_FAST", "STORE_GLOBAL", "STORE_DEREF")
# What lies between the user's `fc(x)` and the layer's `forward`.
_SEQUENTIAL = nn.Sequential.forward.__code__
_MODULE_CALL = (nn.Module._call_impl.__code__, nn.Module._wrapped_call_impl.__code__)

Route = Literal["module", "forward", "function", "inside"]
"""How the user's code got to `F.linear`: `fc(x)`, `fc.forward(x)`, `F.linear(x, w)`, or inside other torch code."""


@dataclass(frozen=True)
class Text:
    """The call in the user's words. Parts that the source does not tell are null or missing."""

    file: str
    line: int
    source: str | None = None
    """The source line, stripped; the words of the call alone where the rest of the line is not what runs."""
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
    first_in: nn.Module | None
    """The outermost of the `nn.Sequential` around the layer that pass their argument on to it."""
    module: nn.Module | None
    """The nearest module of torch's own whose method led to the call."""
    plain: bool
    """Whether that is `nn.Linear.forward` itself, which passes the module's own `weight` and `bias`."""
    swapped: bool
    """Whether `torch.func.functional_call` has put other tensors into the module for the time of the call."""
    text: Text
    spaces: tuple[Mapping[str, Any], ...] | None = None
    """The namespaces of the frame, nearest first, where somebody else has read them already."""


def caller(frame: FrameType) -> Caller:
    """The user's side of the call of `F.linear` that was made in `frame`."""
    *torch_frames, user = until_user(frame)
    route = _route([f.f_code for f in torch_frames])
    plain = bool(torch_frames) and torch_frames[0].f_code is nn.Linear.forward.__code__
    words = words_of_call(user)
    swapped = any(f.f_code.co_filename == _SWAPS for f in torch_frames)
    return Caller(user, route, _first_in(torch_frames), _module(torch_frames), plain, swapped, words)


def until_user(frame: FrameType) -> list[FrameType]:
    """The frames of torch from `frame` on, and the first outside it; `frame` alone where torch is the program."""
    found: list[FrameType] = []
    at: FrameType | None = frame
    while at is not None:
        found.append(at)
        if not is_torchs(at):
            return found
        at = at.f_back
    return [frame]


def user_frame(frame: FrameType) -> FrameType:
    """The first frame outside torch, from `frame` on; where torch itself is the program, `frame`."""
    return until_user(frame)[-1]


def words_of_call(frame: FrameType) -> Text:
    """The words of the call that is running in `frame`."""
    return _text(frame.f_code, frame.f_code.co_filename, frame.f_lasti)


def is_torchs(frame: FrameType) -> bool:
    """Whether the frame runs code of torch's own."""
    return frame.f_code.co_filename.startswith(TORCH)


def _route(codes: list[CodeType]) -> Route:
    if not codes:
        return "function"
    if codes[0].co_name != "forward":
        return "inside"
    if len(codes) == 1:
        return "forward"
    return "module" if tuple(codes[1:]) == _MODULE_CALL else "inside"


def _first_in(torch_frames: list[FrameType]) -> nn.Module | None:
    """Of frames that are those of module calls alone: none of a hook, which might change the argument."""
    calls = [torch_frames[at : at + 3] for at in range(0, len(torch_frames), 3)]
    is_plain = all(tuple(it.f_code for it in call[1:]) == _MODULE_CALL for call in calls)
    if not is_plain or len(calls) < 2 or any(call[0].f_code is not _SEQUENTIAL for call in calls[1:]):
        return None
    modules = [call[0].f_locals.get("self") for call in calls]
    return modules[-1] if all(_is_first_in(inner, outer) for inner, outer in itertools.pairwise(modules)) else None


def _is_first_in(module: object, container: object) -> bool:
    """And nowhere else in it: later it would be given something else."""
    held = list(vars(container).get("_modules", {}).values())
    return bool(held) and held[0] is module and sum(it is module for it in held) == 1


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
    found = written(code, first, span)
    if found.line is None:
        return Text(file, first)
    place = Text(file, first, found.line, target=_stored(code, instruction))
    return place if found.words is None else with_words(place, found.words)


def _stored(code: CodeType, instruction: int) -> str | None:
    """The variable that takes the result: the instruction after the call is a store."""
    following = next((i for i in dis.get_instructions(code) if i.offset > instruction), None)
    if following is None or not following.opname.startswith(_STORES):
        return None
    name = following.argval[0] if isinstance(following.argval, tuple) else following.argval
    return str(name) if str(name).isidentifier() else None  # pytest stores what it takes apart as `@py_assert1`


def with_words(place: Text, words: str) -> Text:
    """The place of a call with its words taken apart."""
    node = parsed(words)
    if not isinstance(node, ast.Call):
        return place
    plain = itertools.takewhile(lambda arg: not isinstance(arg, ast.Starred), node.args)
    return replace(
        place,
        call=in_one_line(words),
        callee=words_of(node.func, words),
        args=tuple(words_of(arg, words) for arg in plain),
        keywords={k.arg: words_of(k.value, words) for k in node.keywords if k.arg is not None},
    )
