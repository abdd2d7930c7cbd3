"""The public questions: are two results the same? They load torch when they are asked."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchtwin.kernel.comparing.verdict import Verdict


def compare(actual: object, expected: object, *, wrt: Sequence[object] | None = None) -> Verdict:
    """Holds two results against each other: are they the same function of the same operands?

        verdict = torchtwin.compare(x @ w.T + b, fc(x))
        verdict.agrees           # or: if verdict: ...
        verdict.kind             # identical, rounding, different or unchecked
        verdict.diagnosis        # why they differ, and what to write instead
        verdict                  # shows all of it

    Each side is a tensor, a NumPy array, a nested list of numbers, or a function. Where one of them comes from a call
    that was recorded (its output or a part of it, what an activation made of it, a `.grad`), the verdict is a proof:
    `rounding` is only said within the rigorous bound for that call, `different` only beyond it. Else it is judged by
    the values, and `proof` is false. So watch the call: `%load_ext torchtwin`, or `with torchtwin.watch():`.

    Functions are run, with the tensors of `wrt` as arguments if they take any, and the gradients with respect to those
    are compared as well, in `gradients`:

        verdict = torchtwin.compare(mine, torch.nn.functional.linear, wrt=[x, w, b])
        verdict.gradients["w"].kind

    A function that takes fewer is given the first of them, and uses the others by itself, as a layer does its weight:
    `compare(lambda x: x @ fc.weight.T + fc.bias, fc, wrt=[x, fc.weight])`. So may one that takes none, where `wrt`
    lists what it uses. Where the two know a tensor under different objects, give a pair, `wrt=[x, (fc.weight, w)]`; the
    one may be the other's transpose. Each gradient must agree, so leave out what neither function depends on.

    No `.grad` is touched, and both start from the same random numbers and the same buffers (the statistics of batch
    normalisation, say) of the modules that they name; afterwards these are as before. What else a function changes
    stays changed.

    Never raises for what it is given; what can't be compared is `unchecked`, with the `reason`. All fields of what it
    returns: `help(torchtwin.Verdict)`.
    """
    return _answer(actual, expected, wrt, sys._getframe(1))


def assert_same(actual: object, expected: object, *, wrt: Sequence[object] | None = None) -> None:
    """Raises an `AssertionError` with the diagnosis, unless `compare` finds that the two agree.

    What `compare` can't compare, `unchecked`, fails as well, a gradient too. It takes what `compare` takes.
    """
    __tracebackhide__ = True  # for pytest
    verdict = _answer(actual, expected, wrt, sys._getframe(1))
    if not verdict.agrees:
        raise AssertionError(repr(verdict))


def _answer(actual: object, expected: object, wrt: Sequence[object] | None, frame: FrameType) -> Verdict:
    from torchtwin.kernel.comparing.answer import answer_call
    from torchtwin.kernel.comparing.verdict import Verdict
    from torchtwin.kernel.session import session

    return Verdict(answer_call(session, actual, expected, wrt, frame))
