"""Explains a call that raised: which dimensions clash, in the user's names, and what would fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from torchtwin.kernel.describe import dtype_name
from torchtwin.kernel.fitting import Attempt, Fitting, Fix, handles_itself, suggestions
from torchtwin.kernel.kinds import is_tensor
from torchtwin.kernel.report_columns import center, width
from torchtwin.kernel.report_terms import split
from torchtwin.protocol import Clash, Failure

_SPEAKS_OF_DTYPES = re.compile(r"dtype|scalar type")
Rule = Callable[[Attempt, str], "_Explained | None"]


@dataclass(frozen=True)
class _Explained:
    explanation: str
    fixes: Callable[[Fitting], Iterable[Fix]] | None = None
    clash: list[Clash] = field(default_factory=list)


def explain(attempt: Attempt, error: Exception, caught: Callable[[Exception], None]) -> Failure:
    """The failure in the user's words. What is not understood is left to the exception's own message.

    `caught` takes a fault of ours in the suggestions, which costs no more than these.
    """
    message = first_line(error)
    found = next((e for rule in _rules(attempt, error, message) if (e := rule(attempt, message))), None)
    if found is None:
        found = _Explained(f"`{attempt.names.call}` raised {type(error).__name__}: {message}")
    try:
        hints = _suggestions(attempt, found)
    except Exception as fault:
        caught(fault)
        hints = []
    return Failure(type(error).__name__, message, found.explanation, hints, found.clash)


def _suggestions(attempt: Attempt, found: _Explained) -> list[str]:
    has_a_wrong_bias = attempt.bias is not None and not is_tensor(attempt.bias)
    if found.fixes is None or not is_tensor(attempt.weight) or handles_itself(attempt.weight) or has_a_wrong_bias:
        return []
    return suggestions(found.fixes(Fitting(attempt, attempt.weight)))


def _rules(attempt: Attempt, error: Exception, message: str) -> Sequence[Rule]:
    """Those that may explain an error of this kind."""
    if _answers_itself(attempt):
        return ()
    if isinstance(error, TypeError):  # of wrong arguments, no operand is to blame
        return (_not_a_tensor,) if "must be Tensor" in message else ()
    return _RULES


def says_more(failure: Failure) -> bool:
    """Whether the explanation is more than the exception's own words."""
    return failure.message not in failure.explanation or bool(failure.suggestions)


def note(failure: Failure, expression: str, shapes: Sequence[str]) -> str:
    """What is added to the user's exception; `shapes` are those of the operands, each to stand under its own."""
    head = "Torchtwin: "
    names = split(expression)
    if len(names) != len(shapes):
        lines = [f"{head}{expression}", " " * len(head) + _signed(shapes)]
    else:
        widths = [max(width(name), width(shape)) for name, shape in zip(names, shapes, strict=True)]
        centred = [[center(it, room) for it, room in zip(row, widths, strict=True)] for row in (names, shapes)]
        lines = [f"{head}{_signed(centred[0])}".rstrip(), (" " * len(head) + _signed(centred[1])).rstrip()]
    hints = [f"  - {suggestion}" for suggestion in failure.suggestions]
    return "\n".join([*lines, failure.explanation, *hints])


def _signed(parts: Sequence[str]) -> str:
    """`a @ b + c`."""
    product = " @ ".join(parts[:2])
    return " + ".join([product, *parts[2:]])


def first_line(error: Exception) -> str:
    """The exception's own words."""
    try:
        return next(iter(str(error).splitlines()), "")
    except Exception:  # an exception of the user's own may fail to describe itself
        return ""


def _answers_itself(attempt: Attempt) -> bool:
    """Whether an operand has rules of its own: then the error is its own too."""
    return any(is_tensor(it) and handles_itself(it) for it in (attempt.input, attempt.weight, attempt.bias))


def _not_a_tensor(attempt: Attempt, message: str) -> _Explained | None:
    if is_tensor(attempt.input):
        return None
    kind = type(attempt.input)
    full = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    what = "None" if attempt.input is None else f"{'an' if full[0] in 'aeiou' else 'a'} {full}"
    return _Explained(f"`{attempt.names.input_text}` is {what}, not a tensor.", lambda fitting: fitting.other_input())


def _features(attempt: Attempt, message: str) -> _Explained | None:
    x, w = attempt.input, attempt.weight
    if not is_tensor(x) or not is_tensor(w) or w.dim() not in (1, 2):
        return None
    takes = w.shape[-1]
    if x.dim() == 0:
        return _Explained(
            f"{attempt.input_name} is a single number; `{attempt.layer}` takes {takes} features.",
            lambda fitting: fitting.other_number_of_features(x),
        )
    if x.shape[-1] == takes:
        return None
    have = x.shape[-1]
    explanation = f"{attempt.input_name} has {have} feature{'s' * (have != 1)}, `{attempt.layer}` takes {takes}."
    clash = [Clash("input", x.dim() - 1), Clash("weight_t", 0)]
    return _Explained(explanation, lambda fitting: fitting.other_number_of_features(x), clash)


def _weight_dimensions(attempt: Attempt, message: str) -> _Explained | None:
    w = attempt.weight
    if not is_tensor(w) or w.dim() in (1, 2):
        return None
    return _Explained(
        f"`{attempt.names.weight}` has {w.dim()} dimensions; a weight has two: [out_features, in_features]."
    )


def _bias(attempt: Attempt, message: str) -> _Explained | None:
    x, w, b = attempt.input, attempt.weight, attempt.bias
    if not is_tensor(x) or not is_tensor(b) or not is_tensor(w) or w.dim() != 2:
        return None
    shape = [*x.shape[:-1], w.shape[0]]
    wrong = [d for d in range(1, min(b.dim(), len(shape)) + 1) if b.shape[-d] not in (1, shape[-d])]
    if not wrong and b.dim() <= len(shape):
        return None
    at = wrong[0] if wrong else b.dim()  # the first dimension, of too many
    clash = [Clash("bias", b.dim() - at), *([Clash("weight_t", 1)] if at == 1 else [])]
    explanation = f"`{attempt.names.bias}` has shape {list(b.shape)}, the output {shape}."
    return _Explained(explanation, lambda fitting: fitting.other_bias(x), clash)


def _devices(attempt: Attempt, message: str) -> _Explained | None:
    x, w, b = attempt.input, attempt.weight, attempt.bias
    if not is_tensor(x) or not is_tensor(w):
        return None
    if x.device != w.device:
        explanation = f"{attempt.input_name} is on {x.device}, `{attempt.names.weight}` on {w.device}."
        meta = " Meta tensors hold no values." if x.is_meta or w.is_meta else ""
        return _Explained(explanation + meta, lambda fitting: fitting.other_device(x, w))
    if not is_tensor(b) or b.device == w.device:
        return None
    explanation = f"`{attempt.names.bias}` is on {b.device}, `{attempt.names.weight}` on {w.device}."
    meta = " Meta tensors hold no values." if b.is_meta or w.is_meta else ""
    return _Explained(explanation + meta, lambda fitting: fitting.bias_on_another_device(x, w))


def _dtypes(attempt: Attempt, message: str) -> _Explained | None:
    x, w, b = attempt.input, attempt.weight, attempt.bias
    if not is_tensor(x) or not is_tensor(w) or not _SPEAKS_OF_DTYPES.search(message):
        return None
    if is_tensor(b) and x.dtype == w.dtype != b.dtype:
        explanation = f"`{attempt.names.bias}` is {dtype_name(b)}, `{attempt.names.weight}` is {dtype_name(w)}."
        return _Explained(explanation, lambda fitting: fitting.bias_of_dtype(x))
    if x.dtype == w.dtype:
        return None
    explanation = f"{attempt.input_name} is {dtype_name(x)}, `{attempt.names.weight}` is {dtype_name(w)}."
    return _Explained(explanation, lambda fitting: fitting.other_dtype(x))


_RULES: Sequence[Rule] = (
    _not_a_tensor,
    _weight_dimensions,
    _features,
    _bias,
    _devices,
    _dtypes,
)
