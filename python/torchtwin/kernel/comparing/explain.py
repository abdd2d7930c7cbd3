"""What is known of one value: what it is, and which recorded calls it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from torchtwin.kernel.comparing.answer import NOT_WATCHED
from torchtwin.kernel.comparing.graph import made_from
from torchtwin.kernel.comparing.origin import Origin
from torchtwin.kernel.comparing.sides import Side, side
from torchtwin.kernel.describe import dtype_name, shape
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.report_model import count_of, is_near, place
from torchtwin.protocol import Call, Verdict

if TYPE_CHECKING:
    from torchtwin.kernel.session import Session

MAX_ORIGINS = 3
"""That are listed; the others are counted."""


@quietly
def explain(value: object, words: str, session: Session, is_watched: bool = True) -> str:
    """Some lines of text. `is_watched`: calls are recorded not only for this question."""
    made = side(value, words)
    if not isinstance(made, Side):
        return f"{made}."
    origins = list(_origins(made, session)) or list(_alike(value, words, session))
    return "\n".join([_tensor(made), *(origins or [f"  {_untraced(session, is_watched)}"])])


def _alike(value: object, words: str, session: Session) -> Iterator[str]:
    """The call whose output or gradient it is by its numbers, or nearly is."""
    found = session.look_at(words, value)
    record = None if found is None else next((it for it in session.calls() if it.id == found.call), None)
    if found is None or record is None:
        return
    nearly = "nearly " if is_near(found.match) else ""
    what = "output" if found.match.of == "output" else f"{found.match.of} gradient"
    yield f"  {nearly}the {what} of `{record.name}`, {place(record.site)}: `{_formula(record, found.match.of)}`"
    verdict = found.match.verdict
    yield f"  {verdict.diagnosis.message if verdict.diagnosis else verdict.message}"


def _untraced(session: Session, is_watched: bool) -> str:
    if session.recorder.alike:
        return "not traced to a recorded call; of calls that were only counted nothing is kept: see `%twin mode every`"
    return "not traced to a recorded call" + ("" if is_watched else f"; {NOT_WATCHED}")


def _tensor(one: Side) -> str:
    tensor = one.original
    parts = [f"{one.words}: {shape(tensor)} {dtype_name(tensor)}, {tensor.device}"]
    if tensor.requires_grad:
        parts.append("requires grad")
    if (tensor.is_leaf or tensor.retains_grad) and tensor.grad is not None:
        parts.append("has a .grad")
    return ", ".join(parts)


def _origins(one: Side, session: Session) -> Iterator[str]:
    found = _found(one.original, session)
    alike: dict[str, list[Origin]] = {}
    for origin in found:
        alike.setdefault(_sentence(origin), []).append(origin)
    is_sum = len(found) > 1 and found[0].of != "output"
    for sentence, calls in list(alike.items())[:MAX_ORIGINS]:
        times = f" ({len(calls):,} calls)" if len(calls) > 1 else ""
        yield f"  {'in it, ' if is_sum else ''}{sentence}{times}"
        yield from _verdict(calls[0])
    more = sum(len(calls) for calls in list(alike.values())[MAX_ORIGINS:])
    if more:
        yield f"  and {count_of(more, 'more call')}"


def _found(tensor: Tensor, session: Session) -> list[Origin]:
    """One for each call, the newest first."""
    tracer = session.tracer()
    found: dict[int, Origin] = {}
    for origin in tracer.origins(tensor) if tracer is not None else ():
        if _is_held(origin, session):
            found.setdefault(origin.call.id, origin)
    return [it for it in found.values() if _is_made_from_output(it, tensor)] or list(found.values())


def _is_made_from_output(origin: Origin, tensor: Tensor) -> bool:
    """If so, that other calls gave the same numbers says nothing."""
    output = origin.call.original("output") if origin.of == "output" else None
    return output is not None and made_from(tensor, output)


def _is_held(origin: Origin, session: Session) -> bool:
    """Whether a gradient holds this call's share: what came before `zero_grad()` it holds no more."""
    operand = None if origin.of == "output" else origin.call.original(origin.of)
    if operand is None or not operand.is_leaf:
        return True
    return origin.call.id in session.contributions(operand)


def _sentence(origin: Origin) -> str:
    record = origin.record
    call = f"`{origin.call.text or record.name}`, {place(record.site)}"
    if origin.of != "output":
        return f"the {origin.of} gradient of {call}: `{_formula(record, origin.of)}`"
    is_made_of_it = origin.call.text is not None and origin.name != origin.call.text
    made = f"`{origin.name}`, from " if is_made_of_it else ""
    return f"{made}the output of {call}: `{record.expression}`"


def _formula(record: Call, of: str) -> str:
    return record.expression if of == "output" else str(getattr(record.gradient_formulas, of))


def _verdict(origin: Origin) -> Iterator[str]:
    record = origin.record
    verdict: Verdict | None = record.forward if origin.of == "output" else getattr(record.gradients, origin.of)
    if verdict is not None:
        yield f"  {verdict.message}"
        yield from (f"  {remark}" for remark in (verdict.note,) if remark)
