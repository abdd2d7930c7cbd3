"""The surroundings of our own arithmetic: the user's modes neither see it nor change it."""

from __future__ import annotations

from types import TracebackType

import torch


class quiet:
    """No gradients, no autocast, no `__torch_function__`: what runs inside leaves no trace in the user's graph.

    Cheaper than a stack of torch's own context managers; it is entered for every checked call.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device

    def __enter__(self) -> None:
        self._grad = torch.is_grad_enabled()
        self._autocast = torch.is_autocast_enabled(self._device)
        self._functions = torch._C.DisableTorchFunction()
        self._functions.__enter__()
        torch._C._set_grad_enabled(False)
        torch.set_autocast_enabled(self._device, False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        torch.set_autocast_enabled(self._device, self._autocast)
        torch._C._set_grad_enabled(self._grad)
        self._functions.__exit__(None, None, None)
