"""What is known of one value: what it is, and which recorded call it comes from."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from torchtwin.kernel.comparing.origin import Origin, Tracer
from torchtwin.kernel.comparing.sides import Side, side
from torchtwin.kernel.describe import dtype_name, shape
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.report_model import place
from torchtwin.protocol import Verdict

MAX_ORIGINS = 3


@quietly
def explain(value: object, words: str, tracer: Tracer | None) -> str:
    """Some lines of text."""
    made = side(value, words)
    if not isinstance(made, Side):
        return f"{made[:1].upper()}{made[1:]}."
    return "\n".join([_tensor(made), *_origins(made, tracer)])


def _tensor(one: Side) -> str:
    tensor = one.original
    parts = [f"{one.words}: {shape(tensor)} {dtype_name(tensor)}, {tensor.device}"]
    if tensor.requires_grad:
        parts.append("requires grad")
    if (tensor.is_leaf or tensor.retains_grad) and tensor.grad is not None:
        parts.append("has a .grad")
    return ", ".join(parts)


def _origins(one: Side, tracer: Tracer | None) -> Iterator[str]:
    found = [] if tracer is None else _first(tracer, one.original)
    if not found:
        yield "  not traced to a recorded call"
    for origin in found:
        record = origin.record
        what = "the output" if origin.of == "output" else f"the {origin.of} gradient"
        yield f"  {what} of `{origin.name}`, {place(record.site)}: `{_formula(origin)}`"
        verdict: Verdict | None = record.forward if origin.of == "output" else getattr(record.gradients, origin.of)
        if verdict is not None:
            yield f"  {verdict.message}"
            yield from (f"  {remark}" for remark in (verdict.note,) if remark)


def _first(tracer: Tracer, tensor: Tensor) -> list[Origin]:
    """At most a few, one for each call."""
    found: dict[int, Origin] = {}
    for origin in tracer.origins(tensor):
        found.setdefault(origin.call.id, origin)
        if len(found) == MAX_ORIGINS:
            break
    return list(found.values())


def _formula(origin: Origin) -> str:
    if origin.of == "output":
        return origin.record.expression
    return str(getattr(origin.record.gradient_formulas, origin.of))
