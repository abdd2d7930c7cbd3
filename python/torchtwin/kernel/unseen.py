"""What runs where the tap can't see it: looked for after a cell and when somebody asks, never when a call is made.

Nothing here runs code of the user's: names and modules are read from dictionaries.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from torchtwin.kernel.fused import FusedRuns
from torchtwin.kernel.modules import modules
from torchtwin.kernel.scopes import shown
from torchtwin.protocol import Unseen

MAX_LISTED = 50
"""Of each kind; the last entry tells how many more there are."""
_LINEAR = torch._C._nn.linear
"""What the tap stands in for: whoever holds it itself passes the tap by."""
_NOT_SEARCHED = ("torch", "torchtwin", "__main__", "__mp_main__")
"""Packages in which nobody looks: torch's, ours, and the notebook, whose names are looked at each time."""


class Lookout:
    """Knows what ran unseen, as of the last look."""

    def __init__(self, caught: Callable[[BaseException], None]) -> None:
        self.entries: list[Unseen] = []
        self._is_on = False
        self._runs = FusedRuns(caught)
        self._known: set[tuple[str, int]] = set()
        """The modules that were searched, by name and `id`."""
        self._newest = (0, "")
        """How many modules there were at the last search, and the name of the last."""
        self._early: list[tuple[str, str]] = []
        """The names in modules that are bound to the function itself."""
        self._scripted = WeakIdKeyDictionary()
        self.forked = self._runs.forked

    def start(self) -> None:
        """Harmless when it has started already."""
        if self._is_on:
            return
        self._is_on = True
        self._runs.put_on()
        # What is imported while nobody watches gets the function itself.
        self._known.clear()
        self._early.clear()
        self._newest = (0, "")

    def stop(self) -> None:
        """Looks at no names: it may be asked for from another thread, while the user's code binds some."""
        self._is_on = False
        self._runs.take_off()
        self.entries = [it for it in self.entries if it.kind == "fused"]

    def clear(self) -> None:
        self._runs.clear()
        self.entries = [it for it in self.entries if it.kind != "fused"]

    def look(self, names: Mapping[str, Any], is_watching: bool) -> None:
        """Without a watch nothing is seen anyway; then only what ran unseen before is told."""
        found = list(modules(names))
        fused = self._fused({id(module): path for path, module in found})
        self.entries = [*self._standing(names, found), *fused] if is_watching else fused

    def _standing(self, names: Mapping[str, Any], found: list[tuple[str, nn.Module]]) -> list[Unseen]:
        early = [*_early_names(names, found), *self._early_modules(), *_graphs(found)]
        kinds = [early, list(_compiled(names, found)), list(self._scripts(names, found))]
        return [entry for kind in kinds for entry in _bounded(kind)]

    def _early_modules(self) -> Iterator[Unseen]:
        self._search_new_modules()
        for module, name in self._early:
            held = sys.modules.get(module)
            if held is not None and _contents(held).get(name) is _LINEAR:  # not any more where it was reloaded
                yield _early_in(module, name)

    def _search_new_modules(self) -> None:
        """Looks into each module once: `from torch.nn.functional import linear` is run when it is imported."""
        newest = len(sys.modules), next(reversed(sys.modules), "")
        if newest == self._newest:
            return
        self._newest = newest
        for module, held in list(sys.modules.items()):
            if (module, id(held)) in self._known or module.partition(".")[0] in _NOT_SEARCHED:
                continue
            self._known.add((module, id(held)))
            contents = _contents(held)
            if any(map(functools.partial(operator.is_, _LINEAR), list(contents.values()))):
                self._early += [(module, name) for name, value in list(contents.items()) if value is _LINEAR]

    def _fused(self, paths: dict[int, str]) -> list[Unseen]:
        counts: Counter[str] = self._runs.counts(paths)
        return _bounded([_fused_in(where, calls) for where, calls in counts.items() if calls])

    def _scripts(self, names: Mapping[str, Any], found: list[tuple[str, nn.Module]]) -> Iterator[Unseen]:
        functions = [(name, value) for name, value in shown(names) if type(value) is torch.jit.ScriptFunction]
        scripts = [(path, it) for path, it in found if issubclass(type(it), torch.jit.ScriptModule)]
        for words, script in [*scripts, *functions]:
            if count := self._linears(script):
                yield _scripted(words, count)

    def _linears(self, script: Any) -> int:
        """How many linear calls the graph has; to write it out takes a while for a large one."""
        if script not in self._scripted:
            self._scripted[script] = _linears_in_script(script)
        return int(self._scripted[script])


def _contents(module: object) -> Mapping[str, Any]:
    """Past a lazy module's `__getattr__`, which would import."""
    if not issubclass(type(module), ModuleType):
        return {}
    contents: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return contents


def _early_names(names: Mapping[str, Any], found: list[tuple[str, nn.Module]]) -> Iterator[Unseen]:
    held = [(f"{path}.{name}", it) for path, module in found for name, it in list(_attributes(module).items())]
    for words, value in [*shown(names), *held]:
        if value is _LINEAR:
            message = f"`{words}` was bound before the watch began: calls by it are not seen. Bind it again."
            yield Unseen("early_bound", f"`{words}`", None, message)


def _attributes(module: nn.Module) -> dict[str, Any]:
    attributes: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return attributes


def _early_in(module: str, name: str) -> Unseen:
    where = f"`{name}` in `{module}`"
    message = f"{where} was bound before the watch began: calls by it are not seen. Call `F.linear` there instead."
    return Unseen("early_bound", where, None, message)


def _graphs(found: list[tuple[str, nn.Module]]) -> Iterator[Unseen]:
    """What `torch.fx` or `torch.export` made: its code calls the function itself."""
    for path, module in found:
        if issubclass(type(module), torch.fx.GraphModule) and (count := _linears_in_graph(module)):
            message = (
                f"The graph in `{path}` calls torch's own function: {_calls(count)} of each run are not seen. "
                "Run the module that it was made from."
            )
            yield Unseen("early_bound", f"`{path}`", None, message)


def _linears_in_graph(module: nn.Module) -> int:
    graph = _attributes(module).get("_graph")
    nodes = graph.nodes if type(graph) is torch.fx.Graph else ()
    functions = (_LINEAR, torch.ops.aten.linear.default)
    return sum(node.op == "call_function" and any(node.target is it for it in functions) for node in nodes)


def _compiled(names: Mapping[str, Any], found: list[tuple[str, nn.Module]]) -> Iterator[Unseen]:
    if "torch._dynamo.eval_frame" not in sys.modules or _runs_uncompiled():
        return
    told: set[int] = set()
    for path, module in found:
        if id(module) not in told and _is_compiled(module) and _has_layers(module):
            yield _compiled_in(f"Layers of `{path}`", path)
            told |= {id(it) for _, it in modules({path: module})}
    for name, value in shown(names):
        if type(value) is FunctionType and _was_compiled(value):
            yield _compiled_in(f"Layers that `{name}` calls", name)


def _runs_uncompiled() -> bool:
    dynamo: Any = sys.modules["torch._dynamo.eval_frame"]
    return bool(dynamo._stance.stance == "force_eager" or torch._dynamo.config.disable)


def _is_compiled(module: nn.Module) -> bool:
    """`torch.compile(module)`, `module.compile()`, or a compiled `forward`."""
    dynamo: Any = sys.modules["torch._dynamo.eval_frame"]
    own = _attributes(module)
    forward = own["forward"] if "forward" in own else inspect.getattr_static(type(module), "forward", None)
    return (
        issubclass(type(module), dynamo.OptimizedModule)
        or own.get("_compiled_call_impl") is not None
        or _original(forward) is not None
    )


def _original(function: object) -> object:
    """What a function that `torch.compile` made stands for. `torch.compiler.disable` makes such functions too."""
    made = function.__dict__ if type(function) is FunctionType else {}
    return None if made.get("_torchdynamo_disable") else made.get("_torchdynamo_orig_callable")


def _was_compiled(function: FunctionType) -> bool:
    """Whether it has run compiled already."""
    from torch._C._dynamo.eval_frame import _debug_get_cache_entry_list

    original = _original(function)
    inner = original.__func__ if type(original) is MethodType else original
    return type(inner) is FunctionType and bool(_debug_get_cache_entry_list(inner.__code__))


def _has_layers(module: nn.Module) -> bool:
    return any(issubclass(type(it), nn.Linear) or _names_linear(it) for _, it in modules({"module": module}))


def _names_linear(module: nn.Module) -> bool:
    """Whether the words of its own `forward` have one that is `linear`."""
    forward = inspect.getattr_static(type(module), "forward", None)
    return type(forward) is FunctionType and "linear" in forward.__code__.co_names


def _linears_in_script(script: Any) -> int:
    if type(script) is not torch.jit.ScriptFunction and not script._c._has_method("forward"):
        return 0
    graph: Any = script.inlined_graph
    return len(list(graph.findAllNodes("aten::linear")))


def _compiled_in(layers: str, words: str) -> Unseen:
    message = f"{layers} run compiled: not seen. With `torch.compiler.set_stance('force_eager')` they are."
    return Unseen("compiled", f"`{words}`", None, message)


def _scripted(words: str, count: int) -> Unseen:
    message = (
        f"`{words}` runs in TorchScript: {_calls(count)} of each run are not seen. Run what it was made from instead."
    )
    return Unseen("scripted", f"`{words}`", None, message)


def _fused_in(words: str, calls: int) -> Unseen:
    message = (
        f"{_calls(calls)} of `{words}` ran in a fused fast path of torch's: not seen. "
        "With `torch.backends.mha.set_fastpath_enabled(False)` they are."
    )
    return Unseen("fused", f"`{words}`", calls, message)


def _calls(count: int) -> str:
    return f"{count:,} linear call{'' if count == 1 else 's'}"


def _bounded(entries: list[Unseen]) -> list[Unseen]:
    more = entries[MAX_LISTED:]
    if not more:
        return entries
    calls = None if any(it.calls is None for it in more) else sum(it.calls or 0 for it in more)
    rest = Unseen(more[0].kind, f"{len(more)} more", calls, f"{len(more)} more places like these are not seen either.")
    return [*entries[:MAX_LISTED], rest]
