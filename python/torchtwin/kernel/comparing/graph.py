"""Which results were made from which others, as autograd's graph and the memory tell."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.autograd.graph import Node

from torchtwin.kernel.identity import has_storage

MAX_NODES = 10_000
"""Of a graph, looked at to learn what a result was made from."""


def made_from(result: Tensor, source: Tensor) -> bool:
    """Whether `source` went into `result`, or they are of one memory, as a view is."""
    return _share_memory(result, source) or follows_from(result, source)


def follows_from(result: Tensor, source: Tensor | None) -> bool:
    """Whether autograd knows that `result` was computed from this very tensor."""
    if source is None or result.grad_fn is None or not source.requires_grad:
        return False
    if source.grad_fn is not None:
        return any(node is source.grad_fn for node in nodes(result.grad_fn))
    return any(getattr(node, "variable", None) is source for node in nodes(result.grad_fn))


def _share_memory(a: Tensor, b: Tensor) -> bool:
    if not (has_storage(a) and has_storage(b) and a.numel() and b.numel()):
        return False
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def nodes(node: Node) -> Iterator[Node]:
    """The node and those before it, each once."""
    seen, waiting = {node}, [node]
    while waiting and len(seen) < MAX_NODES:
        node = waiting.pop()
        yield node
        new = [source for source, _ in node.next_functions if source is not None and source not in seen]
        seen.update(new)
        waiting.extend(new)


def leaves(result: Tensor) -> list[Tensor]:
    """The tensors that autograd would accumulate gradients of a result in."""
    found = [] if result.grad_fn is None else [getattr(node, "variable", None) for node in nodes(result.grad_fn)]
    return [leaf for leaf in found if leaf is not None]
