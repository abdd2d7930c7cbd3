"""The backward that a hook is called in: whether it runs within another, and what it sends to a node."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from torch import Tensor
from torch.autograd.graph import Node, _engine_run_backward
from torch.utils.checkpoint import CheckpointFunction

MAX_STEPS = 50
"""Nodes of a graph that are followed from one to the next."""

_PASSES_ON = re.compile(
    r"(View|UnsafeView|ReshapeAlias|Squeeze|Unsqueeze|T|Transpose|Permute|Alias|Clone|Sum|Mean|Neg)Backward\d$"
)
"""What moves its gradient, repeats it or divides it by a number, whatever its own argument was."""
_ADDS = "AddBackward0"


@dataclass(frozen=True)
class GradOutput:
    """The gradient that reached a call."""

    value: Tensor
    """In the shape of the output."""
    started: Callable[[], Tensor | None]
    """What the backward was `started_with`; to be asked while it runs."""
    backward: int
    """Autograd's number of the backward that brought it."""


def is_nested() -> bool:
    """Whether this backward runs within another, as a reentrant checkpoint's does."""
    return len(list(_running())) > 1


def started_with(node: Node) -> Tensor | None:
    """What the running backward was started with, if no node on the way to `node` computes with it; a hook may.

    Null where that is not seen, as in a thread of the engine's own.
    """
    running = list(_running())
    if len(running) != 1 or running[0].f_code is not _engine_run_backward.__code__:
        return None
    arguments = running[0].f_locals
    roots, rest = arguments.get("t_outputs", ()), arguments.get("args", ())
    at: Node | None = roots[0].grad_fn if len(roots) == 1 and rest else None
    for _ in range(MAX_STEPS):
        if at is None or at is node:
            break
        at = _only_source(at)
    return rest[0][0] if at is not None and at is node else None


def _running() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _engine_run_backward.__code__ or frame.f_code is CheckpointFunction.backward.__code__:
            yield frame
        frame = frame.f_back


def _only_source(node: Node) -> Node | None:
    """Where the gradient goes on to; null where it is computed with, or sent two ways."""
    sources = [source for source, _ in node.next_functions]
    adds_a_leaf = node.name() == _ADDS and all(it is None or it.name().endswith("AccumulateGrad") for it in sources[1:])
    return sources[0] if adds_a_leaf or _PASSES_ON.match(node.name()) else None
