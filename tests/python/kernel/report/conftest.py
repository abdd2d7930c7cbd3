"""Calls as the kernel records them, written out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from torchtwin import protocol as p

GOLDEN = Path(__file__).parents[1] / "golden"
NEVER = p.Gradients()


def operand(name: str, *shape: int) -> p.Operand:
    return p.Operand(name=name, shape=list(shape), dtype="float32", device="cpu", requires_grad=True)


def identical(elements: int) -> p.Verdict:
    message = f"identical, {elements} of {elements} elements, bit for bit"
    return p.Verdict("identical", message, equal_elements=elements, elements=elements, units=0.0, bound=6.0)


def rounding(units: float, ulp: int) -> p.Verdict:
    message = f"rounding only: 3 of 24 elements differ, by at most {ulp} ULP, {units / 6:.2g} of what rounding can do"
    return p.Verdict("rounding", message, equal_elements=21, elements=24, max_ulp_diff=ulp, units=units, bound=6.0)


def different() -> p.Verdict:
    message = "different: 3 of 3 elements lie outside what rounding can do, first [0, 0]: layer 381, formula 350"
    why = p.Diagnosis("unexplained", "No simple cause found.")
    return p.Verdict("different", message, equal_elements=0, elements=3, units=7e5, bound=6.0, diagnosis=why)


def unchecked(reason: str) -> p.Verdict:
    return p.Verdict("unchecked", f"not checked: {reason}", reason=reason)


def exercise(**changes: Any) -> p.Call:
    call = p.Call(
        id=1,
        name="fc",
        expression="x @ w.T + b",
        site=p.Site(cell_id="layer", execution_count=2, line=9, source="fc_out = fc(x)"),
        operands=p.Operands(
            operand("x", 1, 2), operand("w", 3, 2), operand("w.T", 2, 3), operand("b", 1, 3), operand("fc_out", 1, 3)
        ),
        forward=identical(3),
        gradients=p.Gradients(identical(6), identical(3), unchecked("`x` does not require grad")),
        gradient_formulas=p.GradientFormulas("g.T @ x", "g.sum(0)", "g @ w"),
        gradient_names=p.GradientNames("fc.weight.grad", "fc.bias.grad", "x.grad"),
        error=None,
        values=p.Values(input=[10.0, 20.0]),
        time=0.0,
    )
    return msgspec.structs.replace(call, **changes)


def encoder(**changes: Any) -> p.Call:
    where = "encoder.layers[0].linear1"
    operands = p.Operands(
        operand("src", 8, 64, 256),
        operand(f"{where}.weight", 1024, 256),
        operand(f"{where}.weight.T", 256, 1024),
        operand(f"{where}.bias", 1024),
        operand("output", 8, 64, 1024),
    )
    call = exercise(
        id=2,
        name=where,
        expression=f"src @ {where}.weight.T + {where}.bias",
        site=p.Site(file="/home/you/models/encoder.py", line=41, source="x = self.linear1(src)"),
        operands=operands,
        forward=rounding(1.5, 2),
        gradients=NEVER,
    )
    return msgspec.structs.replace(call, **changes)


def failed(**changes: Any) -> p.Call:
    operands = p.Operands(
        operand("h", 32, 128),
        operand("fc2.weight", 10, 64),
        operand("fc2.weight.T", 64, 10),
        operand("fc2.bias", 10),
        None,
    )
    failure = p.Failure(
        "RuntimeError",
        "mat1 and mat2 shapes cannot be multiplied (32x128 and 64x10)",
        "`h` has 128 features, `fc2` takes 64.",
        ["Make it `nn.Linear(in_features=128, out_features=10)`.", "Give `fc2` the output of `fc1` (64 features)."],
        [p.Clash("input", 1), p.Clash("weight_t", 0)],
    )
    call = exercise(
        id=3,
        name="fc2",
        expression="h @ fc2.weight.T + fc2.bias",
        site=p.Site(cell_id="next", execution_count=6, line=2, source="y = fc2(h)"),
        operands=operands,
        forward=unchecked("the call raised RuntimeError"),
        gradients=NEVER,
        error=failure,
    )
    return msgspec.structs.replace(call, **changes)


def wrong() -> p.Call:
    note = "`fc.weight.grad` holds 2 backward passes"
    weight = msgspec.structs.replace(identical(6), note=note)
    return exercise(id=4, forward=different(), gradients=p.Gradients(weight, identical(3), None))


def envelope(seq: int, event: p.Event) -> p.Envelope:
    return p.Envelope(p.PROTOCOL, "s", seq, event)


def page(calls: list[p.Call]) -> p.Page:
    envelopes = [envelope(seq, call) for seq, call in enumerate(calls, 1)]
    return p.Page(p.PROTOCOL, "s", 0, len(calls), len(calls), envelopes)


class Make:
    """The builders, for tests."""

    exercise = staticmethod(exercise)
    encoder = staticmethod(encoder)
    failed = staticmethod(failed)
    wrong = staticmethod(wrong)
    rounding = staticmethod(rounding)
    unchecked = staticmethod(unchecked)
    operand = staticmethod(operand)
    envelope = staticmethod(envelope)
    page = staticmethod(page)

    @staticmethod
    def mixed() -> list[p.Call]:
        """One of each, and a loop of 1,000 passes."""
        return [exercise(), failed(), *(encoder(id=10 + i) for i in range(1000)), wrong()]


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """`golden("report.txt", text)`: the text is the committed one; UPDATE_GOLDEN=1 writes it anew."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: look at the output, then run with UPDATE_GOLDEN=1"
        assert text == path.read_text(encoding="utf-8")

    return compare
