"""What words give without running code of the user's: the tensor itself, its shape to be, or that it can't be told."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import torch
from torch import nn

from torchtwin.kernel.paused.operands import Given, Made, Unknown, Value, Words, arithmetic, item, known
from torchtwin.kernel.paused.products import products
from torchtwin.kernel.paused.statement import Statement
from torchtwin.kernel.paused.trial import linear, trial

X = torch.ones(4, 3)
NAMES: dict[str, Any] = {
    "x": X,
    "torch": torch,
    "F": nn.functional,
    "n": 2,
    "layers": [nn.Linear(3, 2)],
    "size": (2, 6),
}


def given(words: str) -> Given:
    """As an operand of a matmul, which is where it is read."""
    part = ast.parse(f"({words}) @ torch.empty(0)", mode="eval").body
    statement = Statement([part], None, "<words>", [ast.unparse(part)], [], None)
    return products(statement, Words([NAMES]))[-1].input


def shape(words: str) -> tuple[list[int], str, str]:
    found = given(words)
    assert isinstance(found, Made), found
    return list(found.like.shape), str(found.like.dtype).removeprefix("torch."), str(found.device)


@pytest.mark.parametrize(
    "words",
    [
        "x", "x.T", "x.mT", "x[0]", "x[:2]", "x[..., None]", "x[1:, ::2]", "x[-1]", "x[(0, 1), :]", "x * 2 + 1", "-x",
        "x / x", "x == x", "~(x > 0)", "x.view(2, 6)", "x.view(size)", "x.reshape(-1)", "x.flatten()", "x.double()",
        "x.to(torch.float16)", "x.to('cpu')", "x.to(dtype=torch.int32)", "x.sum(0)", "x.mean(dim=1, keepdim=True)",
        "torch.relu(x)", "F.softmax(x, dim=-1)", "F.relu(x)", "torch.cat([x, x])", "torch.stack((x, x), 1)",
        "x.unsqueeze(0).expand(5, 4, 3)", "x.permute(1, 0)", "torch.zeros(2, 3)", "torch.randn(n, x.shape[1])",
        "torch.ones_like(x)", "torch.tensor([[1., 2.], [3., 4.]])", "torch.eye(3)", "torch.arange(6).view(2, 3)",
        "torch.full((2, 2), 0.5)", "torch.rand(2, dtype=torch.float64)", "x.detach()", "x.data", "x.clone()",
        "x.numel() * x", "F.relu(x, True)", "2 ** 3 * x",
        "torch.where(x > 0, x, 0.0)", "layers[0].weight", "layers[0].weight.T",
        "x if n else None", "x if n == 2 else -x",
        "torch.einsum('ij->ji', x)", "x.to(torch.float64).float()", "x.size(0) * x",
    ],
)  # fmt: skip
def test_what_is_told_is_what_it_is(words: str) -> None:
    state = torch.get_rng_state()
    found = shape(words)
    assert torch.equal(torch.get_rng_state(), state)
    real = eval(words, dict(NAMES))
    assert found == (list(real.shape), str(real.dtype).removeprefix("torch."), str(real.device))


@pytest.mark.parametrize(
    "words",
    [
        "x[x > 0]", "x.nonzero()", "x.add_(1)", "x.numpy()", "torch.nn.functional.dropout(x)", "nobody", "x.unknown",
        "open('/tmp/never', 'w')", "x.apply_(abs)", "torch.manual_seed(1)", "x.backward()", "x.register_hook(print)",
        "x.grad", "(lambda: x)()", "[y for y in x][0]", "x.view(5)", "torch.zeros(2, device='nowhere')",
        "n ** 10**9 * x",
        "'a' * 10**12", "torch.load('x')", "x.to(nobody)", "torch.zeros(2, out=x)", "x.relu_()",
        "x or x", "x.tolist()", "globals()['x']", "torch.set_default_dtype(torch.float64)",
    ],
)  # fmt: skip
def test_what_may_change_something_or_needs_values_is_not_run(words: str) -> None:
    before = X.clone(), torch.get_rng_state(), torch.get_default_dtype()
    assert isinstance(given(words), Unknown)
    assert torch.equal(X, before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert torch.get_default_dtype() is before[2]


def test_a_huge_tensor_is_made_of_nothing() -> None:
    assert shape("torch.zeros(10**6, 10**6).T[:, 0]") == ([10**6], "float32", "cpu")


def test_of_two_devices_nothing_is_claimed() -> None:
    far = known(torch.ones(4, 3, device="meta"))
    assert isinstance(arithmetic(ast.Add(), known(X), far), Unknown)
    one = known(torch.ones(()))
    assert isinstance(arithmetic(ast.Add(), one, far), Made)  # a single number may stand anywhere


@pytest.mark.parametrize("device", ["cuda:1", "mps:0", "xpu:0"])
def test_of_a_device_that_is_not_there_nothing_is_claimed(device: str) -> None:
    assert shape(f"x.to('{device}')")[2] == device
    outcome = trial(linear, [given(f"x.to('{device}')"), given(f"torch.ones(2, 3, device='{device}')"), None])  # type: ignore[list-item]
    assert (outcome.made, outcome.error) == (None, None)


class Loud:
    def __hash__(self) -> int:
        raise AssertionError("it was run")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("it was run")

    def __getitem__(self, at: object) -> object:
        raise AssertionError("it was run")


@pytest.mark.parametrize("index", [Loud(), 1.5, None])
def test_an_item_is_looked_up_by_plain_keys_alone(index: object) -> None:
    assert isinstance(item(Value({1: X}), Value(index)), Unknown)
    assert isinstance(item(Value(Loud()), Value(1)), Unknown)
