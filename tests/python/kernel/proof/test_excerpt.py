"""A few elements of a large product: judged together as each alone, and placed where they are in the whole."""

from __future__ import annotations

import math
import weakref
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from torchtwin.kernel.proof import excerpt
from torchtwin.kernel.proof.bounds import arithmetic
from torchtwin.kernel.proof.excerpt import Excerpt, judge_all, taken
from torchtwin.kernel.proof.probe import on_all
from torchtwin.kernel.proof.product import Product

SHAPE = torch.Size((4, 10, 12))
"""Of a result of 40 rows of 12."""
DEVICE = torch.device("cpu")


def operands(terms: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Product:
    draw = torch.Generator().manual_seed(seed)
    left, right, bias = (torch.randn(*of, generator=draw).to(dtype) for of in ((40, terms), (12, terms), (12,)))
    return Product(left, right, bias)


def result(product: Product) -> Tensor:
    return torch.nn.functional.linear(product.left, product.right, product.bias)


def of(product: Product, rows: Tensor) -> Excerpt:
    return taken(product, rows, SHAPE, arithmetic(rows.dtype, rows.device))


def test_excerpts_of_several_kinds_are_judged_together_as_each_alone() -> None:
    products = [operands(terms, seed) for seed, terms in enumerate((64, 64, 300, 64))]
    products.append(Product(products[0].left, products[0].right, None))
    products.append(operands(64, 5, torch.bfloat16))
    excerpts = [of(it, result(it)) for it in products]
    alone = [judge_all([it])[0] for it in excerpts]
    assert judge_all(excerpts) == alone
    assert {it.kind for it in alone} <= {"identical", "rounding"}
    assert judge_all([]) == []


def test_its_numbers_are_those_of_the_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layer 5, formula 1 + 4 = 5; then off by one ULP of 5, which is 2^-21, in units of 2^-24 * (|1| + |4|)."""
    monkeypatch.setattr(excerpt, "BLOCK", (1, 1))
    product = Product(torch.ones(40, 1), torch.ones(12, 1), torch.full((12,), 4.0))
    right = torch.full((40, 12), 5.0)
    same, next_to_it = judge_all([of(product, right), of(product, torch.nextafter(right, torch.tensor(6.0)))])
    assert (same.kind, same.elements, same.equal_elements) == ("identical", 1, 1)
    assert (next_to_it.kind, next_to_it.elements, next_to_it.equal_elements) == ("rounding", 1, 0)
    assert (next_to_it.max_ulp_diff, next_to_it.max_abs_diff) == (1, 2.0**-21)
    assert next_to_it.units == pytest.approx(8 / 5)


@pytest.mark.parametrize("wrong", [1.0, math.nan])
def test_a_wrong_element_is_placed_where_it_is_in_the_whole(wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excerpt, "_somewhere", lambda size, count: slice(size - count, size))
    product = operands(64)
    rows = result(product)
    rows[38, 7] += wrong
    judged, honest = judge_all([of(product, rows), of(product, result(product))])
    assert (judged.kind, judged.outside) == ("different", [38 * 12 + 7])
    assert "first [3, 8, 7]" in judged.message
    assert honest.kind in ("identical", "rounding")
    verdict = on_all(judged, 0.5, 480)
    assert (verdict.kind, verdict.coverage, verdict.probe) == ("different", "32 of 480 elements", None)


def test_the_place_is_drawn_from_all_rows_and_columns() -> None:
    product = operands(64)
    rows = result(product)
    places = [of(product, rows).place for _ in range(400)]
    assert {row for it in places for row in it.rows} == set(range(40))
    assert {column for it in places for column in it.columns} == set(range(12))


def test_a_result_smaller_than_an_excerpt_is_taken_whole() -> None:
    product = Product(torch.ones(2, 64), torch.ones(3, 64), None)
    judged = judge_all([taken(product, product.evaluate(), torch.Size((2, 3)), arithmetic(torch.float32, DEVICE))])
    assert (judged[0].kind, judged[0].elements) == ("identical", 6)


def test_it_holds_no_tensor_of_the_users_and_few_elements() -> None:
    product = operands(64)
    rows = result(product)
    memory = [weakref.ref(it.untyped_storage()) for it in (product.left, product.right, rows)]
    held = of(product, rows)
    assert held.elements == (4 + 8) * 64 + 2 * 4 * 8
    del product, rows
    assert [it() for it in memory] == [None] * 3
    assert judge_all([held])[0].kind in ("identical", "rounding")
    long = Product(torch.ones(40, 2**14), torch.ones(12, 2**14), None)
    assert of(long, long.evaluate()).elements < 2 * excerpt.MAX_TAKEN


def test_it_can_be_judged_where_the_processor_rounds_as_it_did_for_the_call() -> None:
    product = operands(64)
    taken_before = of(product, result(product))
    assert taken_before.can_be_judged_here()
    torch.set_flush_denormal(True)
    try:
        if torch.tensor(1e-40) * 1 != 0:
            pytest.skip("this processor does not flush")
        assert not taken_before.can_be_judged_here()
        assert of(product, result(product)).can_be_judged_here()
    finally:
        torch.set_flush_denormal(False)
    assert taken_before.can_be_judged_here()


def test_where_rounding_has_no_bound_nothing_is_said() -> None:
    how = arithmetic(torch.float16, DEVICE)
    product = Product(torch.ones(40, 64).half(), torch.ones(12, 64).half(), None)
    unbounded = taken(product, product.evaluate(), SHAPE, replace(how, sum_unit=2.0**-5))
    assert judge_all([unbounded])[0].kind == "unchecked"
