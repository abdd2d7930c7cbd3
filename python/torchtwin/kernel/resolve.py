"""What the user's words lead to, found without running any code of theirs."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from typing import Any

from torch import nn


def resolve(text: str, scopes: list[Mapping[str, Any]]) -> object:
    """What a name, attribute path or constant subscript leads to, without running any code of the user's; else null."""
    node = parsed(text)
    return None if node is None else _follow(node, scopes)


@functools.lru_cache(maxsize=4096)
def parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(f"({text})", mode="eval").body
    except SyntaxError:
        return None


def _follow(node: ast.expr, scopes: list[Mapping[str, Any]]) -> object:
    if isinstance(node, ast.Name):
        return next((scope[node.id] for scope in scopes if node.id in scope), None)
    if isinstance(node, ast.Attribute):
        return attribute(_follow(node.value, scopes), node.attr)
    if isinstance(node, ast.Subscript):
        return _item(_follow(node.value, scopes), _follow_index(node.slice, scopes))
    return None


def _follow_index(node: ast.expr, scopes: list[Mapping[str, Any]]) -> object:
    return node.value if isinstance(node, ast.Constant) else _follow(node, scopes)


def attribute(value: object, name: str) -> object:
    """From the instance's own dictionaries only: a property would be the user's code."""
    for attributes in (getattr(value, "_modules", None), getattr(value, "_parameters", None), _vars(value)):
        if isinstance(attributes, dict) and name in attributes:
            return attributes[name]
    return None


def _vars(value: object) -> dict[str, Any] | None:
    return getattr(value, "__dict__", None)


def _item(value: object, index: object) -> object:
    if isinstance(value, nn.Sequential | nn.ModuleList) and isinstance(index, int):
        children = list(value._modules.values())
        return children[index] if -len(children) <= index < len(children) else None
    if isinstance(value, nn.ModuleDict):
        return value._modules.get(str(index))
    if not isinstance(value, list | tuple | dict) or type(value) not in (list, tuple, dict):
        return None
    try:
        return value[index]  # type: ignore[call-overload]
    except (LookupError, TypeError):
        return None
