"""Two functions run side by side: their results compared, and their gradients, without touching any `.grad`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import BuiltinFunctionType

import torch
from torch import Tensor, nn
from torch.nn import functional

from torchtwin.kernel.comparing.arguments import (
    argument_names,
    is_name,
    namespace,
    parameters,
    problem_with_arguments,
    takes_arguments,
    words_of_side,
)
from torchtwin.kernel.comparing.compare import Comparer
from torchtwin.kernel.comparing.gradients import NOTHING, compare_gradient
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.comparing.question import compiled_as_filed, told
from torchtwin.kernel.comparing.sides import named, side
from torchtwin.kernel.comparing.surroundings import Surroundings
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.protocol import ComparedGradient, Verdict

SEED = 0
"""Of the gradient that is sent back through both results."""


@dataclass(frozen=True)
class Wrt:
    """One tensor that gradients are taken with respect to, as each of the two functions knows it."""

    words: str
    actual: Tensor
    expected: Tensor


@dataclass(frozen=True)
class _Run:
    """What a function returned, and what it was given."""

    result: Tensor
    given: list[Tensor]


def wrt_of(given: Sequence[object], words: Sequence[str]) -> list[Wrt] | str:
    """The tensors of `wrt`, each one or a pair of one for each function; or what is wrong with them."""
    found = []
    for value, name in zip(given, words, strict=True):
        pair = tuple(value) if isinstance(value, tuple) and len(value) == 2 else (value, value)
        if not all(is_tensor(it) and it.is_floating_point() for it in pair):
            return f"`{name}` in `wrt` is not a floating point tensor, nor a pair of two"
        if (reason := next((it for it in (side(it, name) for it in pair) if isinstance(it, str)), None)) is not None:
            return f"{reason}; `wrt` takes plain tensors"
        found.append(Wrt(name, *pair))
    return found


def compare_callables(
    actual: object,
    expected: object,
    words: tuple[str, str],
    wrt: list[Wrt],
    tracer: Tracer,
    recording: Callable[[], AbstractContextManager[object]],
) -> tuple[Verdict, list[ComparedGradient]]:
    """Both are called with the tensors of `wrt` if they take arguments, and as they are if not.

    They start from the same state of the random number generators (torch's, NumPy's, Python's) and of the buffers of
    modules that they name, as those of batch normalisation, and what they change of it is undone. `recording` lets
    `tracer` know of the calls that are made.
    """
    functions, tensors = (actual, expected), ([it.actual for it in wrt], [it.expected for it in wrt])
    surroundings = Surroundings(functions, [*tensors[0], *tensors[1]])
    names = [[words_of_side(it.words, at) for it in wrt] for at in (0, 1)]
    own = [[it.name for it in parameters(function)] for function in functions]
    runs: list[_Run | str] = []
    with torch.enable_grad(), recording():
        for at, function in enumerate(functions):
            with surroundings.same():
                runs.append(_run(function, words[at], tensors[at], [names[at], own[at], own[1 - at]]))
        if isinstance(problem := next((run for run in runs if isinstance(run, str)), None), str):
            return unchecked(problem), []
        a, b = (run for run in runs if isinstance(run, _Run))
        verdict = Comparer(tracer).compare(a.result, b.result, words)
        return verdict, _gradients(a, b, wrt, tracer, surroundings)


def _run(function: object, words: str, tensors: list[Tensor], names: Sequence[Sequence[str]]) -> _Run | str:
    if not callable(function):
        value = side(function, words)
        return value if isinstance(value, str) else _Run(value.original, tensors)
    if problem := problem_with_arguments(function, words, len(tensors)):
        return problem
    takes_them = takes_arguments(function, len(tensors))
    given = [t.detach().clone().requires_grad_() for t in tensors] if takes_them else None
    if isinstance(function, BuiltinFunctionType) and function == functional.linear:
        function = functional.linear  # torch's own, if it was looked up before the watch
    try:
        result = _called(function, words, given or [], names)
    except Exception as error:
        return f"{named(words)} raised {told(error)}"
    if not is_tensor(result):
        return f"{named(words)} returned a {type(result).__qualname__}, not a tensor"
    return _Run(result, tensors if given is None else given)


def _called(function: object, words: str, given: list[Tensor], names: Sequence[Sequence[str]]) -> object:
    """In a frame that knows a layer and its arguments by the user's names, since it is looked at for names."""
    word = words if is_name(words) else "function"
    if isinstance(function, nn.Module):  # found by its own name, not by a path to it
        word = word.rpartition(".")[2]
    arguments = argument_names(names, word, len(given))
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
    with surroundings.same():
        of_a = _backward(a, g)
    with surroundings.same():
        of_b = _backward(b, g)
    each = zip(wrt, zip(a.given, of_a, strict=True), zip(b.given, of_b, strict=True), strict=True)
    return [ComparedGradient(it.words, compare_gradient(tracer, it.words, first, second)) for it, first, second in each]


def _backward(run: _Run, g: Tensor) -> list[Tensor | str]:
    wanted = [t for t in run.given if t.requires_grad]
    if run.result.requires_grad and wanted:
        back = g.to(run.result.dtype).to(run.result.device)
        try:
            found = torch.autograd.grad(run.result, wanted, back, allow_unused=True)
        except Exception as error:
            return [f"its backward raised {told(error)}" for _ in run.given]
        by_id = {id(t): gradient for t, gradient in zip(wanted, found, strict=True)}
    else:
        by_id = {}
    return [_one(t, by_id.get(id(t))) for t in run.given]


def _one(tensor: Tensor, gradient: Tensor | None) -> Tensor | str:
    if gradient is not None:
        return gradient
    return NOTHING if tensor.requires_grad else "it does not require grad"
