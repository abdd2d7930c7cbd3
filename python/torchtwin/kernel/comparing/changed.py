"""What of a layer was changed between two of its calls, whose outputs are compared."""

from __future__ import annotations

import torch

from torchtwin.kernel.comparing.ground import PARAMETERS
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.comparing.pair import Pair
from torchtwin.kernel.past import PastCall
from torchtwin.protocol import Call


def changed_between(tracer: Tracer, pair: Pair) -> str | None:
    """That parameters were changed after one side was computed and before the other was, as by an optimizer's step.

    Said only of the very calls that gave the two: how far a change elsewhere in a model reached is not known.
    """
    found = [(tracer.call_of(it.original), it.name) for it in (pair.actual, pair.expected)]
    calls = sorted(((call, name) for call, name in found if call is not None), key=lambda it: it[0].id)
    if len(calls) < 2:
        return None
    (earlier, before), (later, after) = calls
    record = tracer.record(later)
    changed = [_name(record, role) for role in PARAMETERS if _is_changed(earlier, later, role)] if record else []
    if not changed:
        return None
    words = " and ".join(changed)
    were = "was" if len(changed) == 1 else "were"
    return f"{words} {were} changed after {before} was computed and before {after} was: compute {before} anew"


def _is_changed(earlier: PastCall, later: PastCall, role: str) -> bool:
    tensor = later.original(role)
    if tensor is None or earlier.original(role) is not tensor:
        return False
    then, now = earlier.copies.get(role), later.copies.get(role)
    if then is not None and now is not None:
        return not torch.equal(then, now)
    return earlier.originals[role].mark != later.originals[role].mark


def _name(record: Call, role: str) -> str:
    """Of a parameter, by its gradient's name, which no placeholder stands for."""
    gradient: str | None = getattr(record.gradient_names, role)
    if gradient is not None and gradient.endswith(".grad"):
        return f"`{gradient.removesuffix('.grad')}`"
    return f"the {role} of `{record.name}`"
