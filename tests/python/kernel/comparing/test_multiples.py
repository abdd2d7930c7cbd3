"""A multiple of a gradient that the user made of a `.grad` is told from one that was computed anew."""

from __future__ import annotations

import pytest

from torchtwin.kernel.comparing.multiples import multiples_of_gradients


@pytest.mark.parametrize(
    ("python", "names"),
    [
        ("step = -lr * w.grad", {"step"}),
        ("a, b = lr * w.grad, lr * v.grad", {"a", "b"}),
        ("g = w.grad\nfor _ in range(3):\n    v = beta * v + g\nw -= v", {"g", "v", "w"}),
        ("g, = torch.autograd.grad(loss, [w])\nh: object = 2 * g\nm += h", {"g", "h", "m"}),
        ("dw = 2 * y.grad.T @ x\ndb = y.grad.sum(0)\ndv = torch.einsum('bi,bo->oi', x, y.grad)", set()),
        ("dw = 2 * g.T @ x", set()),
        ("x: int", set()),
        ("1 +", set()),
        ("await f()\nstep = await g(w.grad)", {"step"}),
    ],
)
def test_names_bound_to_what_is_made_of_a_grad_without_a_product_are_multiples(python: str, names: set[str]) -> None:
    assert multiples_of_gradients(python) == names
