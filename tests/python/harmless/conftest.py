"""Runs a program of somebody else's twice, unwatched and watched, and compares all that a user can measure."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

import torchtwin
from torchtwin.kernel.session import session
from torchtwin.protocol import Call, Mode

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

MODES: list[Mode] = ["every", "auto", "shapes"]
"""How much of what runs is checked."""


def watched(mode: Mode) -> AbstractContextManager[object]:
    return torchtwin.watch(mode)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    chosen: Mode = request.param
    return chosen


@pytest.fixture
def watching(mode: Mode) -> Callable[[], AbstractContextManager[object]]:
    return lambda: watched(mode)


@pytest.fixture
def watched_every() -> Callable[[], AbstractContextManager[object]]:
    """For tests of what a verdict says: a watch that checks every call."""
    return lambda: watched("every")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Each test has the process's session for itself, and ends without a fault of ours."""
    torchtwin.clear()
    yield
    torchtwin.unwatch()
    torchtwin.clear()
    report = session.guard.report()
    session.guard.__init__()  # type: ignore[misc]  # so that one test's fault is not the next one's
    assert report is None, report.first


Count = Callable[[], int]


@dataclass
class Outcome:
    """What one run gave, in values that can be compared and shown."""

    outputs: dict[str, object]
    """What the program returned. A tensor is there with its bits, strides, version and hooks."""
    subjects: dict[str, object]
    """Parameters, buffers, inputs, and the gradients of all of them, after the run."""
    graph: list[tuple[str, tuple[int | None, ...]]]
    """The nodes behind the outputs: each one's name, and the numbers of those that it leads to."""
    randomness: dict[str, object]
    warnings: list[tuple[str, str]]
    """Category and message, in order."""
    places: list[tuple[str, int]]
    """The file and line at which each warning was told."""
    modes: dict[str, object]


class Harmless:
    """Holds a program to its word that it does not notice the watch."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode

    def __call__(
        self, program: Callable[..., object], *subjects: object, recorded: int | None = None, places: bool = True
    ) -> list[Call]:
        """Runs `program` on equal copies of `subjects`, before, during and after a watch. Returns the recorded calls.

        `recorded`: how many these must be, where it is not one for each linear operation that torch's profiler counts.
        `places`: whether warnings must be told at the same lines.
        """
        plain = _outcome(program, *_copies(subjects))
        torchtwin.clear()
        with watched(self._mode):
            beside = _outcome(program, *_copies(subjects))
        calls = session.latest(10_000)
        if not places:
            beside.places = plain.places
        _assert_equal(beside, plain)
        report = session.guard.report()
        assert report is None, report.first
        with _counting(recorded) as expected:
            afterwards = _outcome(program, *_copies(subjects))
        _assert_equal(afterwards, plain)
        assert len(session.latest(10_000)) == len(calls) == expected()
        return calls


@pytest.fixture
def harmless(mode: Mode) -> Harmless:
    return Harmless(mode)


@pytest.fixture
def step() -> Callable[..., object]:
    """A forward and a backward from all that comes out and can be differentiated."""
    return _step


def _step(module: Callable[..., object], *inputs: Any, **named: Any) -> object:
    output = module(*inputs, **named)
    ends = [it for it in _tensors(output) if it.requires_grad]
    assert ends
    torch.autograd.backward([it.abs().sum() for it in ends])
    return output


def _assert_equal(actual: Outcome, expected: Outcome) -> None:
    for field in fields(Outcome):
        assert getattr(actual, field.name) == getattr(expected, field.name), field.name


def _copies(subjects: tuple[object, ...]) -> tuple[Any, ...]:
    """Results of computations, which can't be copied, become leaves."""
    leaves = {id(it): it.detach().clone().requires_grad_() for it in _tensors(subjects) if not it.is_leaf}
    copied: tuple[Any, ...] = copy.deepcopy(subjects, leaves)
    return copied


def _outcome(program: Callable[..., object], *subjects: object) -> Outcome:
    _seed()
    with warnings.catch_warnings(record=True) as caught, _warning_always():
        warnings.simplefilter("always")
        outputs = program(*subjects)
        modes = _modes()
    return Outcome(
        outputs=_described(outputs),
        subjects=_described(subjects),
        graph=_graph([it.grad_fn for it in _tensors(outputs)]),
        randomness=_described([torch.get_rng_state(), numpy.random.get_state(), random.getstate()]),
        warnings=[(it.category.__name__, str(it.message)) for it in caught],
        places=[(it.filename, it.lineno) for it in caught],
        modes=modes,
    )


@contextlib.contextmanager
def _warning_always() -> Iterator[None]:
    """Torch gives many of its warnings once in a process, so that only the first run would have them."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        yield
    finally:
        torch.set_warn_always(before)


def _seed() -> None:
    torch.manual_seed(0)
    numpy.random.seed(0)
    random.seed(0)


def _modes() -> dict[str, object]:
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "function modes": torch._C._len_torch_function_stack(),
        "dispatch modes": torch._C._len_torch_dispatch_stack(),
    }


@contextlib.contextmanager
def _counting(recorded: int | None) -> Iterator[Count]:
    """Linear operations, by torch's own profiler, which sees those made in C++ as well; or none, where it is known."""
    if recorded is not None:
        yield lambda: recorded
        return
    with torch.autograd.profiler.profile() as profile:
        yield lambda: _outermost(
            (it.start_ns(), it.end_ns()) for it in profile.kineto_results.events() if it.name() == "aten::linear"
        )


def _outermost(spans: Iterator[tuple[int, int]]) -> int:
    """How many lie in no other: under autocast one operation is dispatched twice, one within the other."""
    count, until = 0, 0
    for start, end in sorted(spans):
        count, until = (count + 1, end) if start >= until else (count, until)
    return count


def _graph(roots: list[Node | None]) -> list[tuple[str, tuple[int | None, ...]]]:
    numbers: dict[Node, int] = {}
    waiting = [root for root in roots if root is not None]
    for node in waiting:
        if node not in numbers:
            numbers[node] = len(numbers)
            waiting += [source for source, _ in node.next_functions if source is not None]
    return [
        (node.name(), tuple(None if it is None else numbers[it] for it, _ in node.next_functions)) for node in numbers
    ]


def _tensors(value: object) -> list[Tensor]:
    return [it for _, it in _leaves("", value, {}) if isinstance(it, Tensor)]


def _described(value: object) -> dict[str, object]:
    return {where: _leaf(it) for where, it in _leaves("", value, {})}


def _leaves(where: str, value: object, seen: dict[int, object]) -> Iterator[tuple[str, object]]:
    """What a structure is made of, and where in it; what comes twice, once."""
    if isinstance(value, (str, bytes, int, float, complex, bool, type(None))):
        yield where, value
    elif id(value) not in seen:
        seen[id(value)] = value
        if isinstance(value, (Tensor, numpy.ndarray)):
            yield where, value
            if isinstance(value, Tensor) and value.is_leaf and value.grad is not None:
                yield f"{where}.grad", value.grad
        else:
            yield where, type(value)
        for name, part in _parts(where, value):
            yield from _leaves(f"{where}.{name}", part, seen)


def _parts(where: str, value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, Mapping):
        # The keys of hooks are running numbers of the process.
        yield from enumerate(value.values()) if where.endswith("_hooks") else value.items()
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)
    elif isinstance(value, (set, frozenset)):
        yield "elements", sorted(map(repr, value))
    elif not isinstance(value, (type, numpy.ndarray)) and not callable(value):
        yield from getattr(value, "__dict__", {}).items()
    elif isinstance(value, nn.Module):
        yield from vars(value).items()


def _leaf(value: object) -> object:
    if isinstance(value, Tensor):
        return (
            f"{type(value).__name__} {value.dtype} {value.layout} requires_grad={value.requires_grad} "
            f"hooks={bool(value._backward_hooks)} {_memory(value)} {_bits(value)}"
        )
    if isinstance(value, numpy.ndarray):
        return f"{value.dtype} {value.shape} {_digest(value.tobytes())}"
    return value if isinstance(value, type) else repr(value)


def _memory(tensor: Tensor) -> str:
    if tensor.is_nested or tensor.layout != torch.strided or nn.parameter.is_lazy(tensor):
        return ""
    version = "" if tensor.is_inference() else f"version={tensor._version}"
    return f"{tuple(tensor.shape)} strides={tensor.stride()} {version}"


def _bits(tensor: Tensor) -> str:
    if tensor.is_meta or nn.parameter.is_lazy(tensor):
        return ""
    if tensor.is_nested:
        return " ".join(map(_bits, tensor.unbind()))
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    plain = tensor.detach().as_subclass(Tensor).resolve_conj().resolve_neg().contiguous().flatten()
    return _digest(plain.view(torch.uint8).numpy().tobytes())


def _digest(memory: bytes) -> str:
    return hashlib.blake2b(memory, digest_size=8).hexdigest()
