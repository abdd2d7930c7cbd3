"""What the user's words lead to, found without running any code of theirs."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from typing import Any

from torch import nn

from torchtwin.kernel.kinds import is_module


def resolve(text: str, scopes: list[Mapping[str, Any]]) -> object:
    """What a name, attribute path or constant subscript leads to, without running any code of the user's; else null."""
    node = parsed(text)
    return None if node is None else follow(node, scopes)


@functools.lru_cache(maxsize=4096)
def parsed(text: str) -> ast.expr | None:
    """The expression that the words spell; null where they spell none."""
    try:
        return ast.parse(f"({text})", mode="eval").body
    except SyntaxError:
        return None


def follow(node: ast.expr, scopes: list[Mapping[str, Any]]) -> object:
    """The same for words that are parsed already."""
    if isinstance(node, ast.Name):
        return next((scope[node.id] for scope in scopes if node.id in scope), None)
    if isinstance(node, ast.Attribute):
        return attribute(follow(node.value, scopes), node.attr)
    if isinstance(node, ast.Subscript):
        return _item(follow(node.value, scopes), _follow_index(node.slice, scopes))
    return None


def _follow_index(node: ast.expr, scopes: list[Mapping[str, Any]]) -> object:
    return node.value if isinstance(node, ast.Constant) else follow(node, scopes)


def attribute(value: object, name: str) -> object:
    """From the object's own dictionaries only: anything else may be the user's code."""
    own = _own(value)
    places = (own.get("_modules"), own.get("_parameters"), own) if is_module(value) else (own,)
    return next((place[name] for place in places if isinstance(place, Mapping) and name in place), None)


def _own(value: object) -> Mapping[str, Any]:
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return own if isinstance(own, Mapping) else {}


def _item(value: object, index: object) -> object:
    if type(index) not in (int, str):  # another key's hash and comparison may be the user's code
        return None
    if is_module(value) and issubclass(type(value), nn.Sequential | nn.ModuleList) and isinstance(index, int):
        children = list(value._modules.values())
        return children[index] if -len(children) <= index < len(children) else None
    if is_module(value) and issubclass(type(value), nn.ModuleDict):
        return value._modules.get(str(index))
    try:
        return value[index] if type(value) in (list, tuple, dict) else None  # type: ignore[index]
    except (LookupError, TypeError):
        return None
