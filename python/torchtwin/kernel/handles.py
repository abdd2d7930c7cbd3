"""Hooks on the user's autograd graphs, so that all can be taken off again."""

from __future__ import annotations

from torch.utils.hooks import RemovableHandle


class Handles:
    """Remembers hooks without keeping the graphs alive that they are on (a handle refers to its hooks weakly)."""

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []
        self._tidy_at = 256

    def add(self, handle: RemovableHandle) -> None:
        self._handles.append(handle)
        if len(self._handles) >= self._tidy_at:
            self._handles = [h for h in self._handles if alive(h)]
            self._tidy_at = 2 * len(self._handles) + 256

    def remove(self) -> None:
        """Takes all of them off."""
        handles, self._handles = self._handles, []
        for handle in handles:
            handle.remove()


def alive(handle: RemovableHandle) -> bool:
    """Whether the graph that the hook is on still exists."""
    return handle.hooks_dict_ref() is not None
