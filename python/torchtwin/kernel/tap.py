"""The tap: a wrapper in place of `torch.nn.functional.linear`, which every layer looks up when it is called.

Why this function and no other: docs/architecture.md, "The tap".
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Observer(Protocol):
    """What the tap reports to. Neither method may raise."""

    def returned(
        self, frame: FrameType, input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor
    ) -> None: ...

    def raised(self, frame: FrameType, input: object, weight: object, bias: object, error: Exception) -> None: ...


class Tap:
    """Puts the wrapper on and takes it off again. Needs torch to be imported when it goes on."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._original: Callable[..., Any] | None = None
        self._wrapper: Callable[..., Any] | None = None

    @property
    def on(self) -> bool:
        return self._original is not None

    def put_on(self) -> None:
        """Harmless when it is on already."""
        if self.on:
            return
        import torch.nn.functional as functional
        from torch.jit._builtins import _register_builtin

        self._original = functional.linear
        self._wrapper = wrapper(self._original, self._observer)
        # torch.jit.script resolves a call of F.linear by the identity of the function object.
        _register_builtin(self._wrapper, "aten::linear")
        functional.linear = self._wrapper

    def take_off(self) -> None:
        """Leaves another's wrapper, put on after ours, where it is; ours then passes calls through unseen."""
        if not self.on:
            return
        import torch.nn.functional as functional
        from torch.jit._builtins import _get_builtin_table

        if functional.linear is self._wrapper and self._original is not None:
            functional.linear = self._original
        _get_builtin_table().pop(  # type: ignore[no-untyped-call]
            id(self._wrapper), None
        )
        if self._wrapper is not None:
            self._wrapper.observing = False  # type: ignore[attr-defined]
        self._original = self._wrapper = None


def wrapper(original: Callable[..., Any], observer: Observer) -> Callable[..., Any]:
    """`original`, reported to `observer` while the attribute `observing` of what is returned is true."""
    from torch import Tensor
    from torch._C import _get_tracing_state as tracing
    from torch.compiler import is_compiling

    def linear(input: Any, weight: Any, bias: Any = None, **out: Any) -> Any:
        # Under torch.compile this line is decided while tracing: no graph break, no guard on us.
        # Under torch.jit.trace even a look at a shape would become part of the trace.
        if is_compiling() or tracing() is not None or out or _stands_for_a_tensor(input):
            return original(input, weight, bias, **out)
        try:
            output = original(input, weight, bias)
        except Exception as error:
            if linear.observing:  # type: ignore[attr-defined]
                observer.raised(sys._getframe(1), input, weight, bias, error)
            # A bare `raise` adds no entry for this frame: the user's traceback ends where it would without us.
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raise
        if linear.observing:  # type: ignore[attr-defined]
            observer.returned(sys._getframe(1), input, weight, bias, output)
        return output

    def _stands_for_a_tensor(value: Any) -> bool:
        """A proxy of torch.fx or the like, which must see the original function."""
        return not isinstance(value, Tensor) and hasattr(type(value), "__torch_function__")

    linear.observing = True  # type: ignore[attr-defined]
    linear.__doc__ = original.__doc__
    linear.__module__ = "torch.nn.functional"
    linear.__qualname__ = "linear"
    return linear
