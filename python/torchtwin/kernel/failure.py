"""Explains a call that raised: which dimensions clash, in the user's names, and what would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from torchtwin.kernel.describe import dtype_name
from torchtwin.kernel.naming import Names
from torchtwin.protocol import Clash, Failure


@dataclass(frozen=True)
class Attempt:
    """The operands of the call that raised."""

    names: Names
    layer: str
    """`fc`; for a function call, the weight's name."""
    is_module: bool
    input: object
    weight: object
    bias: object


@dataclass(frozen=True)
class _Explained:
    explanation: str
    suggestions: list[str]
    clash: list[Clash]


def explain(attempt: Attempt, error: Exception) -> Failure:
    """The failure in the user's words. What is not understood is left to the exception's own message."""
    found = next((e for rule in _RULES if (e := rule(attempt))), None)
    message = str(error).splitlines()[0] if str(error) else ""
    if found is None:
        found = _Explained(f"`{attempt.layer}` raised {type(error).__name__}: {message}", [], [])
    return Failure(type(error).__name__, message, found.explanation, found.suggestions, found.clash)


def note(failure: Failure, expression: str, shapes: str) -> str:
    """What is added to the user's exception."""
    hints = "".join(f"\n  - {s}" for s in failure.suggestions)
    return f"Torchtwin: {expression}\n           {shapes}\n{failure.explanation}{hints}"


def _not_a_tensor(attempt: Attempt) -> _Explained | None:
    if isinstance(attempt.input, Tensor):
        return None
    name, kind = attempt.names.input_text, type(attempt.input)
    full = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    what = "None" if attempt.input is None else f"a {full}"
    return _Explained(f"`{name}` is {what}, not a tensor.", [f"Pass `{it}`." for it in _as_tensor(attempt, full)], [])


def _as_tensor(attempt: Attempt, kind: str) -> Iterator[str]:
    """How the input, of this type, gives a tensor."""
    name, value = attempt.names.input_text, attempt.input
    if kind == "numpy.ndarray":
        yield f"torch.from_numpy({name})"
    elif kind in ("list", "tuple") and isinstance(value, list | tuple):
        tensors = [i for i, item in enumerate(value) if isinstance(item, Tensor)]
        yield f"{name}[{tensors[0]}]" if tensors else f"torch.tensor({name})"
    elif kind in ("int", "float"):
        yield f"torch.tensor([{name}])"


def _features(attempt: Attempt) -> _Explained | None:
    x, w = attempt.input, attempt.weight
    if not isinstance(x, Tensor) or not isinstance(w, Tensor) or w.dim() not in (1, 2):
        return None
    takes = w.shape[-1]
    if x.dim() == 0:
        return _Explained(
            f"`{attempt.names.input}` is a single number; `{attempt.layer}` takes {takes} features.",
            [f"Pass a tensor of shape [{takes}] or [batch, {takes}]."],
            [],
        )
    if x.shape[-1] == takes:
        return None
    clash = [Clash("input", x.dim() - 1), Clash("weight_t", 0)]
    return _Explained(_counts(attempt, x, w), list(_fitting(attempt, x, w)), clash)


def _counts(attempt: Attempt, x: Tensor, w: Tensor) -> str:
    have, takes = x.shape[-1], w.shape[-1]
    return f"`{attempt.names.input}` has {have} feature{'s' * (have != 1)}, `{attempt.layer}` takes {takes}."


def _fitting(attempt: Attempt, x: Tensor, w: Tensor) -> Iterator[str]:
    """What would fit, the least surprising first."""
    name, takes = attempt.names.input_text, w.shape[-1]
    name = name if name.replace(".", "").replace("_", "").isalnum() else f"({name})"
    if x.dim() == 2 and x.shape[0] == takes:
        yield f"Transpose the input: `{name}.T` has shape {list(x.T.shape)}."
    flattened = next((d for d in range(1, x.dim() - 1) if x.shape[d:].numel() == takes), None)
    if flattened is not None:
        shape = [*x.shape[:flattened], takes]
        yield f"Flatten the input: `{name}.flatten({flattened})` has shape {shape}."
    elif x.dim() > 1 and x.numel() == takes:
        yield f"Flatten the input: `{name}.flatten()` has shape [{takes}]."
    if attempt.is_module:
        yield f"Make the layer `nn.Linear(in_features={x.shape[-1]}, out_features={w.shape[0]})`."
    else:
        yield f"Pass a weight of shape {[*w.shape[:-1], x.shape[-1]]}."


def _weight_dimensions(attempt: Attempt) -> _Explained | None:
    w = attempt.weight
    if not isinstance(w, Tensor) or w.dim() in (1, 2):
        return None
    explanation = f"`{attempt.names.weight}` has {w.dim()} dimensions; a weight has two: [out_features, in_features]."
    return _Explained(explanation, [], [])


def _bias(attempt: Attempt) -> _Explained | None:
    x, w, b = attempt.input, attempt.weight, attempt.bias
    if not isinstance(x, Tensor) or not isinstance(b, Tensor) or not isinstance(w, Tensor) or w.dim() != 2:
        return None
    shape = [*x.shape[:-1], w.shape[0]]
    wrong = [d for d in range(1, min(b.dim(), len(shape)) + 1) if b.shape[-d] not in (1, shape[-d])]
    if not wrong:
        return None
    clash = [Clash("bias", b.dim() - wrong[0]), *([Clash("weight_t", 1)] if wrong[0] == 1 else [])]
    explanation = f"`{attempt.names.bias}` has shape {list(b.shape)}, the output {shape}."
    return _Explained(explanation, [f"Pass a bias of shape [{w.shape[0]}]."], clash)


def _devices(attempt: Attempt) -> _Explained | None:
    x, w = attempt.input, attempt.weight
    if not isinstance(x, Tensor) or not isinstance(w, Tensor) or x.device == w.device:
        return None
    name = attempt.names.input_text
    return _Explained(
        f"`{attempt.names.input}` is on {x.device}, `{attempt.names.weight}` on {w.device}.",
        [f'Move the input: `{name}.to("{w.device}")`.'],
        [],
    )


def _dtypes(attempt: Attempt) -> _Explained | None:
    x, w, b = attempt.input, attempt.weight, attempt.bias
    if not isinstance(x, Tensor) or not isinstance(w, Tensor):
        return None
    if isinstance(b, Tensor) and x.dtype == w.dtype != b.dtype:
        explanation = f"`{attempt.names.bias}` is {dtype_name(b)}, `{attempt.names.weight}` is {dtype_name(w)}."
        return _Explained(explanation, [f"Cast the bias: `{attempt.names.bias}.to({w.dtype})`."], [])
    if x.dtype == w.dtype:
        return None
    name, layer = attempt.names.input_text, attempt.layer
    suggestions = [f"Cast the input: `{name}.to({w.dtype})`."]
    if attempt.is_module and x.is_floating_point():
        suggestions.append(f"Cast the layer: `{layer}.to({x.dtype})`.")
    explanation = f"`{attempt.names.input}` is {dtype_name(x)}, `{attempt.names.weight}` is {dtype_name(w)}."
    return _Explained(explanation, suggestions, [])


_RULES: tuple[Callable[[Attempt], _Explained | None], ...] = (
    _not_a_tensor,
    _weight_dimensions,
    _features,
    _bias,
    _devices,
    _dtypes,
)
