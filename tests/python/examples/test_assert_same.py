"""`torchtwin.assert_same` in a test of one's own: quiet where two ways agree, and a diagnosis where they don't."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import torchtwin


@pytest.fixture(autouse=True)
def fresh_session() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    torchtwin.clear()


@pytest.fixture
def layer() -> torch.nn.Linear:
    return torch.nn.Linear(6, 6)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(5, 6, requires_grad=True)


def theirs(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.linear(x, weight, bias)


def mine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A layer rewritten, and rightly so."""
    return torch.einsum("bi,oi->bo", x, weight) + bias


def without_bias(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return x @ weight.T


def scaled_by_hand(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The right output, with a weight that learns at twice the speed."""
    return x @ (2 * weight - weight.detach()).T + bias


def test_values_of_a_watched_call_are_the_same(layer: torch.nn.Linear, x: Tensor) -> None:
    with torchtwin.watch():
        torchtwin.assert_same(mine(x, layer.weight, layer.bias), layer(x))


def test_functions_are_the_same_with_their_gradients(layer: torch.nn.Linear, x: Tensor) -> None:
    torchtwin.assert_same(mine, theirs, wrt=[x, layer.weight, layer.bias])
    assert x.grad is None
    assert layer.weight.grad is None


def test_a_missing_transpose_fails_and_the_message_says_what_to_write(layer: torch.nn.Linear, x: Tensor) -> None:
    with torchtwin.watch():
        output = layer(x)
        by_hand = x @ layer.weight + layer.bias
        with pytest.raises(AssertionError) as failed:
            torchtwin.assert_same(by_hand, output)
    message = told(failed.value)
    assert message.startswith("by_hand == output ")
    assert "30 of 30 elements lie outside what rounding can do" in message
    assert (
        "`by_hand` lacks the transpose: it is `x @ layer.weight + layer.bias`. "
        "Write `x @ layer.weight.T + layer.bias`." in message
    )
    assert "proven: the operands of `layer(x)` are known" in message


def test_a_function_without_the_bias_fails_by_its_name(layer: torch.nn.Linear, x: Tensor) -> None:
    with pytest.raises(AssertionError) as failed:
        torchtwin.assert_same(without_bias, theirs, wrt=[x, layer.weight, layer.bias])
    message = told(failed.value)
    assert message.startswith("without_bias == theirs ")
    assert "values ! different" in message
    assert "`without_bias` lacks the bias: it is `x @ weight.T`. Write `x @ weight.T + bias`." in message


def test_a_wrong_gradient_fails_where_the_output_is_right(layer: torch.nn.Linear, x: Tensor) -> None:
    with pytest.raises(AssertionError) as failed:
        torchtwin.assert_same(scaled_by_hand, theirs, wrt=[x, layer.weight, layer.bias])
    message = told(failed.value)
    assert "values ! different" not in message
    assert "gradient of layer.weight ! different" in message
    assert "2 times" in message


def told(error: AssertionError) -> str:
    """The message on one line: where it is broken is a matter of width."""
    return " ".join(str(error).split())
