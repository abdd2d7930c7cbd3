"""The backward that a hook is called in: whether it runs within another, and what it sends to a node."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from torch import Tensor
from torch.autograd.graph import Node, _engine_run_backward
from torch.utils.checkpoint import CheckpointFunction

MAX_STEPS = 50
"""Nodes between the end of a graph and a layer that are looked at."""

_PASSES_ON = re.compile(
    r"(View|UnsafeView|ReshapeAlias|Squeeze|Unsqueeze|T|Transpose|Permute|Expand|Alias|Clone|Sum|Mean|Neg)Backward\d$"
)
"""What moves its gradient, repeats it or divides it by a number, whatever its own argument was."""
_ADDS = "AddBackward0"


@dataclass(frozen=True)
class GradOutput:
    """The gradient that reached a call."""

    value: Tensor
    """In the shape of the output."""
    is_given: bool
    """Whether `arrives_as_given`."""
    backward: int = 0
    """Autograd's number of the backward that brought it."""


def is_nested() -> bool:
    """Whether this backward runs within another, as a reentrant checkpoint's does."""
    return len(list(_running())) > 1


def arrives_as_given(node: Node) -> bool:
    """Whether all that computed `node`'s gradient is what the backward was started with, moved or divided.

    Then it does not depend on the numbers that were computed, nor on how those were rounded. False where that is not
    seen, as in a thread of the engine's own.
    """
    started = list(_running())
    roots: tuple[Tensor, ...] = started[0].f_locals.get("t_outputs", ()) if len(started) == 1 else ()
    at = roots[0].grad_fn if len(roots) == 1 else None
    for _ in range(MAX_STEPS):
        if at is None or at is node:
            break
        at = _only_source(at)
    return at is node


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
