"""Whether a product fits is what torch itself says of it, for small and large operands, and nothing large is made."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from torchtwin.kernel.paused.operands import Made, known
from torchtwin.kernel.paused.trial import Operation, Outcome, broadcast, linear, product, trial

SIZES = (0, 1, 2, 3, 6)
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.complex64, torch.bool)


def made(tensor: Tensor | None) -> Made | None:
    found = None if tensor is None else known(tensor)
    assert found is None or isinstance(found, Made)
    return found


def really(operation: Operation, operands: list[Tensor | None]) -> Tensor | Exception:
    try:
        return operation(*operands)
    except Exception as error:
        return error


def agrees(outcome: Outcome, real: Tensor | Exception) -> bool:
    if isinstance(real, Exception):
        return outcome.error is not None and (type(outcome.error), str(outcome.error)) == (type(real), str(real))
    found = outcome.made
    if outcome.error is not None or found is None:
        return False
    return (found.like.shape, found.like.dtype, found.device) == (real.shape, real.dtype, real.device)


def shapes(most: int, draw: random.Random) -> list[int]:
    return [draw.choice(SIZES) for _ in range(draw.randint(0, most))]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_tried_is_what_happens(seed: int) -> None:
    draw = random.Random(seed)
    tried = raised = 0
    for _ in range(400):
        inner = draw.choice(SIZES)
        x, w = [*shapes(3, draw), inner], [draw.choice(SIZES), inner] if draw.random() < 0.8 else shapes(3, draw)
        b = draw.choice([None, w[:1], shapes(2, draw)])
        dtypes = draw.choices(DTYPES, k=3) if draw.random() < 0.2 else [draw.choice(DTYPES)] * 3
        operands = [None if it is None else torch.ones(it, dtype=d) for it, d in zip((x, w, b), dtypes, strict=True)]
        for operation, given in ((linear, operands), (product, [operands[0], operands[1]]), (torch.add, operands[:2])):
            if operation is linear and operands[1] is not None and operands[1].is_complex() and not operands[1].numel():
                continue
            real = really(functional.linear if operation is linear else operation, given)  # type: ignore[arg-type]
            outcome = trial(operation, [made(it) for it in given])  # type: ignore[arg-type]
            assert agrees(outcome, real), (operation, x, w, b, dtypes, real, outcome)
            tried, raised = tried + 1, raised + isinstance(real, Exception)
    assert 100 < raised < tried - 100  # of both kinds


def far(*shape: int, dtype: torch.dtype = torch.float32) -> Made:
    """A tensor of such a shape that takes no memory."""
    found = made(torch.zeros(1, dtype=dtype).expand(shape))
    assert found is not None
    return found


def test_a_product_too_large_to_compute_is_tried_all_the_same() -> None:
    outcome = trial(linear, [far(10**7, 10**5), far(10**6, 10**5), far(10**6)])
    assert outcome.made is not None
    assert outcome.made.like.shape == (10**7, 10**6)


def test_the_error_of_a_large_product_has_its_own_sizes() -> None:
    error = trial(linear, [far(10**7, 10**5), far(10**6, 10**5 - 1), None]).error
    assert str(error) == "mat1 and mat2 shapes cannot be multiplied (10000000x100000 and 99999x1000000)"
    error = trial(linear, [far(10**7, 10**5), far(10**6, 10**5), far(10**6 - 1)]).error
    assert error is not None
    assert "1000000" in str(error)
    assert "999999" in str(error)
    error = trial(linear, [far(10**7, 10**5), far(10**6, 10**5, dtype=torch.float64), None]).error
    assert "have the same dtype" in str(error)


@pytest.mark.parametrize("large", [2000, 3000])
def test_sizes_that_are_made_small_stay_equal_and_one_stays_one(large: int) -> None:
    for a, b in itertools.product([(large, 1), (1, large), (large, large), (large, 7), (large, 1001)], repeat=2):
        real = really(product, [torch.zeros(1).expand(a).contiguous(), torch.zeros(1).expand(b).contiguous()])
        assert agrees(trial(product, [far(*a), far(*b)]), real), (a, b)


def test_the_error_of_a_sequence_is_worded_with_its_rows_as_one() -> None:
    x, w, b = torch.ones(40, 50, 600), torch.ones(700, 601), torch.ones(700)
    assert agrees(trial(linear, [made(x), made(w), made(b)]), really(functional.linear, [x, w, b]))
    assert agrees(
        trial(linear, [made(x), made(w[:, 1:]), made(b[1:])]), really(functional.linear, [x, w[:, 1:], b[1:]])
    )


def test_operands_on_two_devices_are_told_as_torch_does() -> None:
    operands = [torch.ones(4, 3), torch.ones(2, 3, device="meta")]
    assert agrees(trial(linear, [*map(made, operands), None]), really(functional.linear, [*operands, None]))


def test_a_sum_broadcasts() -> None:
    assert broadcast(far(4, 2), far(2)).made is not None
    assert broadcast(far(4, 2), far(4)).error is not None


def test_gradients_flow_where_they_would() -> None:
    fc = torch.nn.Linear(3, 2)
    operands = [made(torch.ones(4, 3)), made(fc.weight), made(fc.bias)]
    outcome = trial(linear, operands)
    assert outcome.made is not None
    assert outcome.made.requires_grad
    with torch.no_grad():
        outcome = trial(linear, operands)
    assert outcome.made is not None
    assert not outcome.made.requires_grad
