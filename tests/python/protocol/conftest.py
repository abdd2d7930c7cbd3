"""One filled example of everything that travels."""

from __future__ import annotations

from typing import Any

import pytest

from torchtwin import protocol as p


def operand(name: str, *shape: int) -> p.Operand:
    return p.Operand(name=name, shape=list(shape), dtype="float32", device="cpu", requires_grad=False)


def full_verdict() -> p.Verdict:
    return p.Verdict(
        kind="different",
        message="1 of 3 elements differs",
        equal_elements=2,
        elements=3,
        max_abs_diff=31.0,
        max_ulp_diff=1_015_808,
        units=1.5e6,
        bound=3.0,
        coverage="all",
        probe=p.Probe(smallest=0.003, probability=0.9375, alarms=1),
        proof=True,
        diagnosis=p.Diagnosis(code="missing_bias", message="Write `x @ w.T + b`.", also=["scaled"]),
        note="`fc.weight.grad` holds 2 backward passes",
    )


def full_call() -> p.Call:
    unchecked = p.Verdict(kind="unchecked", message="not compared", reason="`x` does not require grad")
    return p.Call(
        id=7,
        name="model.layers[0].ff",
        expression="x @ w.T + b",
        site=p.Site(cell_id="layer", execution_count=2, file="/tmp/model.py", line=9, source="fc_out = fc(x)"),
        operands=p.Operands(
            input=operand("x", 1, 2),
            weight=operand("w", 3, 2),
            weight_t=operand("w.T", 2, 3),
            bias=operand("b", 1, 3),
            output=operand("fc_out", 1, 3),
        ),
        forward=full_verdict(),
        gradients=p.Gradients(weight=full_verdict(), bias=None, input=unchecked),
        gradient_formulas=p.GradientFormulas(weight="g.T @ x", bias="g", input="g @ w"),
        gradient_names=p.GradientNames(weight="fc.weight.grad", bias="fc.bias.grad", input="x.grad"),
        error=p.Failure("RuntimeError", "mat1 and mat2", "they clash", ["`x.T`"], [p.Clash("input", 1)]),
        values=p.Values(input=[10.0, 20.0], output=["nan", "inf", "-inf"], grad_output=[]),
        time=1_700_000_000.25,
        matches=[p.Match("by_hand", "output", full_verdict())],
        rank=1,
    )


def events() -> list[p.Event]:
    row = p.TensorRow("x", [1, 2], "float32", "cpu", False, False, ["fc.weight"], "fc(x)", True, new=True)
    errors = p.InternalErrors(1, "Traceback ...")
    unseen = p.Unseen("fused", "`encoder.layers[0]`", 4, "4 calls ran in torch's fast path.")
    return [
        p.State(True, "2.13.0", "0.1.0", 20_000, 10_000, errors, "every", 0.05, p.Cost(0.25, 12.5), [unseen]),
        p.Tensors([row], 3, unmatched=2),
        full_call(),
        p.Run(8, [7, 7], [[1, 2], [4, 2]], [0, 1], 1_700_000_001.5, 0.25, "over the budget"),
        p.Cleared(7),
        p.Comparison("by_hand", "fc", full_verdict(), [p.ComparedGradient("w", full_verdict())]),
    ]


def page() -> p.Page:
    envelopes = [p.Envelope(p.PROTOCOL, "s-1", seq, event) for seq, event in enumerate(events(), 1)]
    return p.Page(p.PROTOCOL, "s-1", 0, 6, 9, envelopes)


def requests() -> list[p.Request]:
    return [p.Replay(4, 100), p.SetWatch(True), p.SetMode("auto", 0.03), p.Clear(), p.ElementRequest(7, "bias", [0, 2])]


def replies() -> list[p.Reply]:
    terms = p.ElementTerms([10.0, 20.0], [21.0, "nan"], "x[0]", "w[1]", 32.0, "b[0, 1]", 682.0)
    return [p.Pages(page()), p.Done(), terms, p.Refused("gone", "`x` no longer exists")]


def paused_requests() -> list[p.PausedRequest]:
    return [p.Inspect(), p.Evaluate("fc.weight.grad - w.grad", 2.5)]


def paused_replies() -> list[p.PausedReply]:
    call = full_call()
    read = p.Statistics(-1.0, "inf", "nan", 1, 1, 262_144, 4_000_000)
    rows = [
        p.FrameTensor("x", "local", [1, -1], "float32", "cuda:0", True, True, read, None),
        p.FrameTensor("m", "global", [2], "float32", "meta", False, False, None, "it holds no values"),
    ]
    ahead = p.Product("fc(x)", "fc", call.expression, call.operands, "ahead", 9, call.error, None)
    other = p.Product(
        "fc(y)", "fc", "", p.Operands(None, None, None, None, None), "running", None, None, "`y` is not yet"
    )
    error = p.EvaluationError("SyntaxError", "'(' was never closed", 2, 1)
    shown = {"unread": None, "table_of": [0], "changed": ["`x`, in place"], "seconds": 0.5}
    return [
        p.PausedFrame(call.site, "forward", True, rows, 3, [ahead, other], "its source is not known"),
        p.Evaluated("fc(x", None, None, None, table=None, text=None, error=error, **shown),
        p.Evaluated(
            "x", "torch.Tensor", call.operands.input, read, table=[[1.0, "nan"]], text=None, error=None, **shown
        ),
        p.Refused("invalid", "Object missing required field `type`"),
    ]


def messages() -> list[Any]:
    asked = [p.Asked(str(index), request) for index, request in enumerate(requests())]
    answered = [p.Answered(str(index), reply) for index, reply in enumerate(replies())]
    paused = [p.PausedAnswer(p.PROTOCOL, reply) for reply in paused_replies()]
    return [page(), *asked, *answered, *paused_requests(), *paused]


@pytest.fixture(
    params=messages(),
    ids=lambda message: type(getattr(message, "request", getattr(message, "reply", message))).__name__,
)
def message(request: pytest.FixtureRequest) -> Any:
    """Each whole message that travels: a page, every question, every answer."""
    return request.param


@pytest.fixture
def examples() -> dict[Any, list[Any]]:
    """The members of each union that have an example."""
    unions = {p.Event: events(), p.Request: requests(), p.Reply: replies()}
    return {**unions, p.PausedRequest: paused_requests(), p.PausedReply: paused_replies()}


@pytest.fixture
def call() -> p.Call:
    return full_call()
