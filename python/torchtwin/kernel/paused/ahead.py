"""What the line of a place is about to compute, in the user's names, and the error that it will raise."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from torch import Tensor
from torch._C import DisableTorchFunction, _AutoDispatchBelowAutograd, _DisableTorchDispatch

from torchtwin.kernel import callsite, failure
from torchtwin.kernel.callsite import Caller, Route, Text
from torchtwin.kernel.describe import operand, transposed
from torchtwin.kernel.fitting import Attempt
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.naming import Namer, Names
from torchtwin.kernel.paused.operands import Given, Made, Value, Words
from torchtwin.kernel.paused.place import Place
from torchtwin.kernel.paused.products import Found, products
from torchtwin.kernel.paused.statement import UNKNOWN_SOURCE, Statement, statement
from torchtwin.kernel.paused.trial import broadcast, product, trial
from torchtwin.kernel.told import attempt, attempted
from torchtwin.kernel.twin import expression
from torchtwin.kernel.words import binds_tightly, in_one_line
from torchtwin.protocol import Clash, Failure, Operand, Operands
from torchtwin.protocol.paused import Product

Caught = Callable[[Exception], None]


def ahead(place: Place, namer: Namer, caught: Caught) -> tuple[list[Product], str | None]:
    """The matmuls of the line that have not run, in their order; or why nothing is known of the line.

    Autocast is left on, as it decides what raises; no mode or subclass of the user's sees what is tried.
    """
    with DisableTorchFunction(), _DisableTorchDispatch(), _AutoDispatchBelowAutograd():
        found = statement(place)
        if found is None:
            return [], UNKNOWN_SOURCE
        telling = _Telling(place, found, namer, caught)
        return [telling.told(it) for it in products(found, Words(place.spaces)) if not telling.has_passed(it)], None


class _Telling:
    """The products of one statement, told."""

    def __init__(self, place: Place, statement: Statement, namer: Namer, caught: Caught) -> None:
        self._place = place
        self._statement = statement
        self._namer = namer
        self._caught = caught

    def has_passed(self, found: Found) -> bool:
        """Whether it is a layer of a container that raised, and not the one that did."""
        return found.container is not None and self._state(found) == "raised" and found.outcome.error is None

    def told(self, found: Found) -> Product:
        if found.is_formula:
            return self._formula(found)
        caller = self._caller(found)
        input, weight, bias = (_standing(it) for it in (found.input, found.weight, found.bias))
        names = self._namer.names(caller, input, weight, bias)
        error = self._error(found)
        tried = attempt(caller, names, input, weight, bias)
        is_known = found.why is None
        return Product(
            words=in_one_line(self._statement.words(found.node)),
            name=names.call,
            expression=_twin(found, names) if is_known else "",
            operands=_operands(found, names),
            state=self._state(found),
            line=found.node.lineno,
            error=self._explained(tried, error, is_known),
            unknown=None if error is not None else found.why,
        )

    def _explained(self, tried: Attempt, error: Exception | None, is_known: bool) -> Failure | None:
        """Of operands that are not known, no more than the error's own words."""
        if error is None:
            return None
        return failure.explain(tried, error, self._caught) if is_known else _bare(error, tried.names.call)

    def _state(self, found: Found) -> Any:
        if self._statement.when(found.node) != "now":
            return "ahead"
        return {"inside": "running", "raised": "raised"}.get(self._place.state, "ahead")

    def _error(self, found: Found) -> Exception | None:
        """The one that was raised, where it was."""
        raised = self._place.error if self._state(found) == "raised" else None
        return raised or found.outcome.error

    def _caller(self, found: Found) -> Caller:
        """As if the call had been recorded; of code of torch's own, the user's side of it."""
        place, layer = self._place, found.layer
        if callsite.is_torchs(place.frame):
            return callsite.caller(place.frame)
        text = self._statement.text(found.node)
        return Caller(place.frame, _route(found, text), found.container if found.is_first else None, layer,
                      layer is not None, False, text, place.spaces)  # fmt: skip

    def _formula(self, found: Found) -> Product:
        words = in_one_line(self._statement.words(found.node))
        error = self._error(found)
        left, right, bias = self._sides(found)
        return Product(
            words=words,
            name=words,
            expression=words,
            operands=Operands(
                input=_described(left, found.input),
                weight=None,
                weight_t=_described(right, found.weight),
                bias=None if bias is None else _described(bias, found.bias),
                output=_described(self._statement.takes(found.node) or "output", found.outcome.made),
            ),
            state=self._state(found),
            line=found.node.lineno,
            error=_formulas_error(found, (left, right, bias), error, words),
            unknown=None if error is not None else found.why,
        )

    def _sides(self, found: Found) -> tuple[str, str, str | None]:
        match found.node:
            case ast.BinOp(ast.BinOp(left, ast.MatMult(), right), ast.Add(), bias) if found.bias is not None:
                return self._words(left), self._words(right), self._words(bias)
            case ast.BinOp(left, _, right):
                return self._words(left), self._words(right), None
            case ast.Call(ast.Attribute(left), [right]):
                return self._words(left), self._words(right), None
            case ast.Call(_, [left, right]):
                return self._words(left), self._words(right), None
        return "input", "weight", None

    def _words(self, node: ast.expr) -> str:
        return in_one_line(self._statement.words(node))


def _formulas_error(
    found: Found, sides: tuple[str, str, str | None], error: Exception | None, words: str
) -> Failure | None:
    if error is None:
        return None
    return _Clashing(found, sides, error).failure if found.outcome.error is not None else _bare(error, words)


def _bare(error: Exception, words: str) -> Failure:
    """An error that shapes, dtypes and devices do not explain."""
    message = failure.first_line(error)
    return Failure(type(error).__name__, message, f"`{words}` raised {type(error).__name__}: {message}", [], [])


def _twin(found: Found, names: Names) -> str:
    input, weight, bias = (_standing(it) for it in (found.input, found.weight, found.bias))
    if found.outcome.made is None or not is_tensor(input) or not is_tensor(weight):
        return attempted(names, input, weight, bias)
    return expression(names, input, weight, bias if is_tensor(bias) else None, found.outcome.made.like.dtype)


def _route(found: Found, text: Text) -> Route:
    if found.container is not None:
        return "inside"
    if found.layer is None:
        return "function"
    return "forward" if (text.callee or "").endswith(".forward") else "module"


def _standing(given: Given | None) -> object:
    """The operand; what does not exist yet as a tensor of its kind."""
    if isinstance(given, Made):
        return given.standing
    return given.it if isinstance(given, Value) else None


def _operands(found: Found, names: Names) -> Operands:
    weight = _described(names.weight, found.weight)
    return Operands(
        input=_described(names.input, found.input),
        weight=weight,
        weight_t=None if weight is None else transposed(weight),
        bias=None if found.bias is None else _described(names.bias, found.bias),
        output=_described(names.output, found.outcome.made),
    )


def _described(name: str, given: Given | None) -> Operand | None:
    if not isinstance(given, Made):
        return None
    told = operand(name, given.like)
    return msgspec.structs.replace(told, device=str(given.device), requires_grad=given.requires_grad)


class _Clashing:
    """Why `a @ b` or `a @ b + c` does not fit, and what would."""

    def __init__(self, found: Found, words: tuple[str, str, str | None], error: Exception) -> None:
        assert isinstance(found.input, Made)
        assert isinstance(found.weight, Made)
        self._a, self._b = found.input, found.weight
        self._c = found.bias if isinstance(found.bias, Made) else None
        self._words = words
        self._error = error

    @property
    def failure(self) -> Failure:
        message = failure.first_line(self._error)
        explanation, clash = next(iter(self._explained()), (f"It raises {message}", []))
        return Failure(type(self._error).__name__, message, explanation, list(self._suggestions()), clash)

    def _explained(self) -> Iterator[tuple[str, list[Clash]]]:
        left, right, bias = self._words
        a, b = self._a, self._b
        if 0 in (a.like.dim(), b.like.dim()):
            number = left if not a.like.dim() else right
            yield f"`{number}` is a single number; `@` takes vectors and matrices.", []
            return
        at = max(b.like.dim() - 2, 0)
        if a.like.shape[-1] != b.like.shape[at]:
            takes = f"`{right}` takes {b.like.shape[at]}"
            yield (
                f"`{left}` has {_features(a.like.shape[-1])}, {takes}.",
                [
                    Clash("input", a.like.dim() - 1),
                    Clash("weight_t", at),
                ],
            )
        if a.device != b.device:
            yield f"`{left}` is on {a.device}, `{right}` on {b.device}.", []
        if a.like.dtype != b.like.dtype:
            yield f"`{left}` is {_dtype(a)}, `{right}` is {_dtype(b)}.", []
        if self._c is not None and bias is not None and (made := trial(product, [a, b]).made) is not None:
            shape = list(made.like.shape)
            yield f"`{bias}` has shape {list(self._c.like.shape)}, `{left} @ {right}` {shape}.", []

    def _suggestions(self) -> Iterator[str]:
        """Only what makes it work."""
        left, right, _ = self._words
        if self._fits(self._a, _turned(self._b)):
            yield f"Transpose the second: `{left} @ {_turned_words(right)}`."
        if self._fits(_turned(self._a), self._b):
            yield f"Transpose the first: `{_turned_words(left)} @ {right}`."
        if self._a.like.dtype != self._b.like.dtype:
            cast = Made(self._a.like.to(self._b.like.dtype), self._a.device, False)
            if self._b.like.dtype.is_floating_point and self._fits(cast, self._b):
                yield f"Cast the first: `{_on(left)}.to({self._b.like.dtype}) @ {right}`."

    def _fits(self, a: Made | None, b: Made | None) -> bool:
        made = trial(product, [a, b]).made if a is not None and b is not None else None
        return made is not None and (self._c is None or broadcast(made, self._c).made is not None)


def _features(number: int) -> str:
    return f"{number} feature{'s' * (number != 1)}"


def _dtype(made: Made) -> str:
    return str(made.like.dtype).removeprefix("torch.")


def _turned(made: Made) -> Made | None:
    like: Tensor = made.like
    return Made(like.T, made.device, made.requires_grad) if like.dim() == 2 else None


def _turned_words(words: str) -> str:
    return words.removesuffix(".T") if words.endswith(".T") else f"{_on(words)}.T"


def _on(words: str) -> str:
    return words if binds_tightly(words) else f"({words})"
