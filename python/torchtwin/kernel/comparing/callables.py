"""Two functions run side by side: their results compared, and their gradients, without touching any `.grad`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import BuiltinFunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import get_gradient_edge
from torch.nn import functional

from torchtwin.kernel.comparing.arguments import (
    argument_names,
    is_name,
    namespace,
    parameter_names,
    problem_with_arguments,
    taken,
    words_of_side,
)
from torchtwin.kernel.comparing.compare import Comparer
from torchtwin.kernel.comparing.gradients import NOTHING, Missing, compare_gradient, returned_none
from torchtwin.kernel.comparing.graph import follows_from, nodes
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.comparing.question import compiled_as_filed, told
from torchtwin.kernel.comparing.sides import named, side
from torchtwin.kernel.comparing.surroundings import Surroundings
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.quiet import quietly
from torchtwin.protocol import ComparedGradient, Verdict

SEED = 0
"""Of the gradient that is sent back through both results."""


@dataclass(frozen=True)
class Wrt:
    """One tensor that gradients are taken with respect to, as each of the two functions knows it."""

    words: str
    actual: Tensor
    expected: Tensor
    is_transposed: bool
    """Whether they are a matrix and its transpose, by value, as a weight for `x @ w` beside a layer's."""


@dataclass(frozen=True)
class _Function:
    """One side: a function, or a value beside one."""

    value: object
    words: str
    tensors: list[Tensor]
    """Those of `wrt`, as this side knows them."""
    names: list[list[str]]
    """What its arguments may be called, the best first."""


@dataclass(frozen=True)
class _Run:
    """What a function returned, and what it was given."""

    result: Tensor
    given: list[Tensor]
    """Those of `wrt`: copies where it takes them as arguments, the user's own where not."""


def wrt_of(given: Sequence[object], words: Sequence[str]) -> list[Wrt] | str:
    """The tensors of `wrt`, each one or a pair of one for each function; or what is wrong with them."""
    found = []
    for value, name in zip(given, words, strict=True):
        pair: tuple[Any, ...] = value if isinstance(value, tuple) and len(value) == 2 else (value, value)
        if not all(is_tensor(it) and it.is_floating_point() for it in pair):
            return f"`{name}` in `wrt` is not a floating point tensor, nor a pair of two"
        if (reason := next((it for it in (side(it, name) for it in pair) if isinstance(it, str)), None)) is not None:
            return f"{reason}; `wrt` takes plain tensors"
        found.append(Wrt(name, pair[0], pair[1], _are_transposes(pair[0], pair[1])))
    return found


@quietly
def _are_transposes(a: Tensor, b: Tensor) -> bool:
    if a is b or a.dim() != 2 or a.T.shape != b.shape or (a.dtype, a.device) != (b.dtype, b.device):
        return False
    return torch.equal(a.T, b) and not torch.equal(a, b)


def compare_callables(
    actual: object,
    expected: object,
    words: tuple[str, str],
    wrt: list[Wrt],
    tracer: Tracer,
    recording: Callable[[], AbstractContextManager[object]],
) -> tuple[Verdict, list[ComparedGradient]]:
    """Both are called with the tensors of `wrt`, or with as many of the first as they take, which may be none.

    They start from the same state of the random number generators (torch's, NumPy's, Python's) and of the buffers of
    modules that they name, as those of batch normalisation, and what they change of it is undone. `recording` lets
    `tracer` know of the calls that are made.
    """
    sides = _sides(actual, expected, words, wrt)
    surroundings = Surroundings([it.value for it in sides], [tensor for it in sides for tensor in it.tensors])
    runs: list[_Run | str] = []
    with torch.enable_grad(), recording():
        for one in sides:
            with surroundings.same():
                runs.append(_run(one))
        if isinstance(problem := next((run for run in runs if isinstance(run, str)), None), str):
            return unchecked(problem), []
        a, b = (run for run in runs if isinstance(run, _Run))
        verdict = Comparer(tracer).compare(a.result, b.result, words)
        return verdict, _gradients(a, b, wrt, tracer, surroundings)


def _sides(actual: object, expected: object, words: tuple[str, str], wrt: list[Wrt]) -> tuple[_Function, _Function]:
    own = [parameter_names(value) for value in (actual, expected)]
    in_wrt = [[words_of_side(it.words, at) for it in wrt] for at in (0, 1)]
    first = _Function(actual, words[0], [it.actual for it in wrt], [in_wrt[0], own[0], own[1]])
    return first, _Function(expected, words[1], [it.expected for it in wrt], [in_wrt[1], own[1], own[0]])


def _run(of: _Function) -> _Run | str:
    """What came of it, or why nothing did."""
    if not callable(of.value):
        value = side(of.value, of.words)
        return value if isinstance(value, str) else _Run(value.original, of.tensors)
    if problem := problem_with_arguments(of.value, of.words, len(of.tensors)):
        return problem
    count = taken(of.value, len(of.tensors))
    given = [t.detach().clone().requires_grad_() for t in of.tensors[:count]]
    try:
        result = _called(of, given)
    except Exception as error:
        return f"{named(of.words)} raised {told(error)}"
    if not is_tensor(result):
        hint = "; compare one of its tensors" if isinstance(result, tuple | list | dict) else ""
        return f"{named(of.words)} returned a {type(result).__qualname__}, not a tensor{hint}"
    return _Run(result, [*given, *of.tensors[count:]])


def _called(of: _Function, given: list[Tensor]) -> object:
    """In a frame that knows a layer and its arguments by the user's names, since it is looked at for names."""
    function = of.value
    if isinstance(function, BuiltinFunctionType) and function == functional.linear:
        function = functional.linear  # torch's own, if it was looked up before the watch
    word = of.words if is_name(of.words) else "function"
    if isinstance(function, nn.Module):  # found by its own name, not by a path to it
        word = word.rpartition(".")[2]
    arguments = argument_names(of.names, word, len(given))
    text = f"{word}({', '.join(arguments)})"
    return eval(compiled_as_filed(text), {}, namespace([word, *arguments], [function, *given]))


def _gradients(a: _Run, b: _Run, wrt: list[Wrt], tracer: Tracer, surroundings: Surroundings) -> list[ComparedGradient]:
    if not wrt:
        return []
    if a.result.shape != b.result.shape:
        return [ComparedGradient(it.words, unchecked("the results differ in shape")) for it in wrt]
    g = torch.randn(a.result.shape, generator=torch.Generator().manual_seed(SEED), dtype=torch.float64, device="cpu")
    for run in (a, b):  # the same for both: numbers of the less precise
        g = g.to(run.result.dtype) if run.result.is_floating_point() else g
    back_a, back_b = (g.to(run.result.dtype).to(run.result.device) for run in (a, b))
    for back in (back_a, back_b):
        tracer.is_data(back)
    with surroundings.same():
        of_a = _backward(a, back_a)
    with surroundings.same():
        of_b = _backward(b, back_b)
    each = zip(wrt, zip(a.given, of_a, strict=True), zip(b.given, of_b, strict=True), strict=True)
    return [
        ComparedGradient(it.words, compare_gradient(tracer, it.words, first, second, it.is_transposed))
        for it, first, second in each
    ]


def _backward(run: _Run, back: Tensor) -> list[Tensor | Missing]:
    """The graph is kept: part of it, or all, may be the user's own."""
    wanted = [t for t in run.given if t.requires_grad]
    if run.result.requires_grad and wanted:
        try:
            found = torch.autograd.grad(run.result, wanted, back, retain_graph=True, allow_unused=True)
        except Exception as error:
            return [Missing(f"its backward raised {told(error)}") for _ in run.given]
        by_id = {id(t): gradient for t, gradient in zip(wanted, found, strict=True)}
    else:
        by_id = {}
    return [_one(run.result, t, by_id.get(id(t))) for t in run.given]


def _one(result: Tensor, tensor: Tensor, gradient: Tensor | None) -> Tensor | Missing:
    if gradient is not None:
        return gradient
    if not tensor.requires_grad:
        return Missing("it does not require grad (`requires_grad_()` makes it)")
    return returned_none(_own_function(result, tensor)) if follows_from(result, tensor) else NOTHING


def _own_function(result: Tensor, tensor: Tensor) -> str | None:
    """The one `autograd.Function` of the user's between the two."""
    end = get_gradient_edge(tensor).node
    own = [it for it in nodes(result.grad_fn) if isinstance(it, BackwardCFunction)] if result.grad_fn else []
    names = {type(it).__name__.removesuffix("Backward") for it in own if end in nodes(it)}
    return names.pop() if len(names) == 1 else None
