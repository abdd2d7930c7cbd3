"""A call that was told in short, told whole again."""

from __future__ import annotations

import msgspec

from torchtwin.protocol.events import Call, Gradients, Operand, Run, Values, Verdict


def told_whole(run: Run, id: int, like: Call) -> Call:
    """A call of `run`, as the one that it is `like` but for its sizes and time, and unchecked."""
    place = id - run.first
    shape = run.shapes[run.shape[place]]
    verdict = Verdict(kind="unchecked", message=f"not checked: {run.reason}", reason=run.reason)
    return msgspec.structs.replace(
        like,
        id=id,
        operands=msgspec.structs.replace(
            like.operands, input=_resized(like.operands.input, shape), output=_output(like, shape)
        ),
        forward=verdict,
        gradients=_gradients(like, verdict),
        values=Values(),
        time=run.time + run.seconds * place / max(len(run.like) - 1, 1),
        matches=[],
    )


def _gradients(like: Call, verdict: Verdict) -> Gradients:
    """Of a call that autograd follows: whether a backward has reached it is not known."""
    if like.operands.output is None or not like.operands.output.requires_grad:
        return Gradients()
    return Gradients(verdict, None if like.operands.bias is None else verdict, verdict)


def _output(like: Call, shape: list[int]) -> Operand | None:
    input, output = like.operands.input, like.operands.output
    if input is None or output is None:
        return output
    return _resized(output, shape[:-1] + output.shape[len(input.shape) - 1 :])


def _resized(operand: Operand | None, shape: list[int]) -> Operand | None:
    return operand if operand is None or operand.shape == shape else msgspec.structs.replace(operand, shape=shape)
