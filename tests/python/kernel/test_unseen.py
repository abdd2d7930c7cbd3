"""What runs unseen is told: a name bound early, the fused fast path, compiled and scripted code."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from tests.python.kernel.conftest import Notebook
from torch import Tensor, nn

from torchtwin.kernel import fused
from torchtwin.kernel.session import Session
from torchtwin.protocol import Unseen


def builtin() -> Callable[..., Tensor]:
    """Not bound to a name of this module, which would be told as well."""
    return torch._C._nn.linear


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    yield
    torch._dynamo.reset()


def told(notebook: Notebook, kind: str) -> list[Unseen]:
    return [it for it in notebook.session.state().unseen if it.kind == kind]


def places(notebook: Notebook, kind: str) -> list[str]:
    return [it.where for it in told(notebook, kind)]


def module(monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> None:
    made = ModuleType(name)
    exec(source, made.__dict__)
    monkeypatch.setitem(sys.modules, name, made)


def encoder(layers: int = 2) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False).eval()


def test_nothing_is_told_of_a_notebook_in_which_all_is_seen(notebook: Notebook) -> None:
    notebook.run("fc = nn.Linear(2, 3)\ny = fc(torch.ones(1, 2)).relu()\nfrom torch.nn.functional import linear")
    assert notebook.session.state().unseen == []


# early bound


def test_a_name_of_the_notebook_that_was_bound_before_the_watch_is_told(notebook: Notebook) -> None:
    notebook.names["lin"] = builtin()
    assert notebook.run("y = lin(torch.ones(1, 2), torch.ones(3, 2))") == []
    (entry,) = notebook.session.state().unseen
    assert (entry.kind, entry.where, entry.calls) == ("early_bound", "`lin`", None)
    assert entry.message == "`lin` was bound before the watch began: calls by it are not seen. Bind it again."


def test_a_name_that_is_bound_again_is_seen_and_told_no_more(notebook: Notebook) -> None:
    notebook.names["linear"] = builtin()
    notebook.run("pass")
    assert places(notebook, "early_bound") == ["`linear`"]
    assert notebook.call("from torch.nn.functional import linear\ny = linear(torch.ones(1, 2), torch.ones(3, 2))")
    assert places(notebook, "early_bound") == []


def test_a_name_in_an_imported_module_is_told_with_the_module(
    monkeypatch: pytest.MonkeyPatch, notebook: Notebook
) -> None:
    module(monkeypatch, "mylib.layers", "import torch\nlinear = torch._C._nn.linear\nother = 1")
    notebook.run("pass")
    assert "`linear` in `mylib.layers`" in places(notebook, "early_bound")
    module(monkeypatch, "mylib.layers", "import torch\nfrom torch.nn.functional import linear")  # reloaded
    notebook.run("pass")
    assert "`linear` in `mylib.layers`" not in places(notebook, "early_bound")


def test_a_module_that_was_imported_between_two_watches_is_told(
    monkeypatch: pytest.MonkeyPatch, notebook: Notebook
) -> None:
    notebook.run("pass")
    notebook.session.unwatch()
    module(monkeypatch, "mylib.between", "from torch.nn.functional import linear")
    notebook.session.watch()
    notebook.run("pass")
    assert "`linear` in `mylib.between`" in places(notebook, "early_bound")


def test_a_lazy_module_is_not_made_to_import(monkeypatch: pytest.MonkeyPatch, notebook: Notebook) -> None:
    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(f"{name} was asked for")

    monkeypatch.setitem(sys.modules, "mylib.lazy", Lazy("mylib.lazy"))
    notebook.run("pass")


def test_a_function_that_a_model_holds_is_told(notebook: Notebook) -> None:
    notebook.names["model"] = nn.Sequential(nn.ReLU())
    notebook.names["model"][0].function = builtin()
    notebook.run("pass")
    assert places(notebook, "early_bound") == ["`model[0].function`"]


def test_the_calls_of_a_traced_graph_are_told(notebook: Notebook) -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor, w: Tensor) -> Tensor:
            return F.linear(F.linear(x, w), w)

    notebook.names["graph"] = torch.fx.symbolic_trace(Net())
    notebook.names["seen"] = torch.fx.symbolic_trace(nn.Sequential(nn.Linear(2, 3)))
    assert notebook.run("y = graph(torch.ones(1, 2), torch.ones(2, 2))") == []
    assert [it.message for it in told(notebook, "early_bound")] == [
        "The graph in `graph` calls torch's own function: 2 linear calls of each run are not seen. "
        "Run the module that it was made from."
    ]
    assert len(notebook.run("y = seen(torch.ones(1, 2))")) == 1


def test_an_exported_program_is_told(notebook: Notebook) -> None:
    notebook.names["program"] = torch.export.export(nn.Linear(2, 3), (torch.ones(1, 2),)).module()
    assert notebook.run("y = program(torch.ones(1, 2))") == []
    assert places(notebook, "early_bound") == ["`program`"]


# fused


def test_the_fast_path_of_an_encoder_is_counted(notebook: Notebook) -> None:
    notebook.names["enc"] = encoder()
    assert notebook.run("with torch.no_grad(): y = enc(torch.ones(2, 3, 8)), enc.layers[0](torch.ones(2, 3, 8))") == []
    assert [(it.where, it.calls) for it in told(notebook, "fused")] == [
        ("`enc.layers[0]`", 8),
        ("`enc.layers[1]`", 4),
    ]
    assert told(notebook, "fused")[1].message == (
        "4 linear calls of `enc.layers[1]` ran in a fused fast path of torch's: not seen. "
        "With `torch.backends.mha.set_fastpath_enabled(False)` they are."
    )


def test_what_the_message_advises_makes_them_seen(notebook: Notebook) -> None:
    notebook.names["enc"] = encoder(1)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        assert len(notebook.run("with torch.no_grad(): y = enc(torch.ones(2, 3, 8))")) == 4
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert notebook.session.state().unseen == []


def test_the_fast_path_of_attention_is_counted(notebook: Notebook) -> None:
    notebook.names["mha"] = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    assert notebook.run("x = torch.ones(2, 3, 8)\nwith torch.no_grad(): y = mha(x, x, x)") == []
    assert [(it.where, it.calls) for it in told(notebook, "fused")] == [("`mha`", 2)]
    assert len(notebook.run("y = mha(x, x, x)")) == 2  # with gradients


def test_the_fast_path_is_taken_and_gives_the_same_bits(session: Session) -> None:
    enc, mha, x = encoder(), nn.MultiheadAttention(8, 2, batch_first=True).eval(), torch.randn(2, 3, 8)

    def run() -> tuple[list[Tensor], list[str]]:
        with torch.no_grad(), torch.autograd.profiler.profile() as profile:
            given = [enc(x), mha(x, x, x)[0]]
        return given, [event.name for event in profile.function_events]

    watched = run()
    session.unwatch()
    plain = run()
    assert all(map(torch.equal, watched[0], plain[0]))
    assert watched[1] == plain[1]
    assert plain[1].count("aten::_transformer_encoder_layer_fwd") == 2
    assert plain[1].count("aten::_native_multi_head_attention") == 3  # an encoder layer has one inside


def test_counts_last_until_the_records_are_cleared(notebook: Notebook) -> None:
    notebook.names["enc"] = encoder(1)
    run = "with torch.no_grad(): y = enc(torch.ones(2, 3, 8))"
    notebook.run(run)
    notebook.run(run)
    assert [it.calls for it in told(notebook, "fused")] == [8]
    notebook.session.unwatch()
    assert [it.calls for it in told(notebook, "fused")] == [8]
    notebook.run(run)  # nobody watches
    assert [it.calls for it in told(notebook, "fused")] == [8]
    notebook.session.watch()
    notebook.session.clear()
    notebook.run("pass")
    assert told(notebook, "fused") == []


def test_a_layer_without_a_name_and_one_that_is_gone_go_by_their_class(notebook: Notebook) -> None:
    notebook.names["encoder"] = encoder
    notebook.run("with torch.no_grad(): y = encoder()(torch.ones(2, 3, 8))")
    assert [(it.where, it.calls) for it in told(notebook, "fused")] == [("`TransformerEncoderLayer`", 8)]


def test_no_layer_is_kept_and_more_than_can_be_told_apart_are_still_counted(
    monkeypatch: pytest.MonkeyPatch, notebook: Notebook
) -> None:
    monkeypatch.setattr(fused, "MAX_MODULES", 3)
    notebook.names.update(encs=[encoder(1) for _ in range(5)], encoder=encoder)
    notebook.run("with torch.no_grad(): ys = [enc(torch.ones(2, 3, 8)) for enc in encs]")
    assert [(it.where, it.calls) for it in told(notebook, "fused")] == [
        ("`TransformerEncoderLayer`", 8),
        *((f"`encs[{i}].layers[0]`", 4) for i in range(3)),
    ]
    lookout = notebook.session._lookout
    assert lookout is not None
    assert len(lookout._runs._by_module) == 3
    notebook.names["encs"] = []
    notebook.run("with torch.no_grad(): y = encoder(1)(torch.ones(2, 3, 8))")
    assert len(lookout._runs._by_module) <= 1
    assert sum(it.calls or 0 for it in told(notebook, "fused")) == 24


def test_runs_of_several_threads_are_all_counted(notebook: Notebook) -> None:
    mha, x = nn.MultiheadAttention(8, 2, batch_first=True).eval(), torch.ones(1, 1, 8)
    notebook.names["mha"] = mha

    def run() -> None:
        with torch.no_grad():
            for _ in range(200):
                mha(x, x, x, need_weights=False)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notebook.run("pass")
    assert [it.calls for it in told(notebook, "fused")] == [1600]


def test_a_failing_fused_run_raises_without_a_line_of_ours(session: Session) -> None:
    def lines() -> list[str]:
        with pytest.raises(TypeError, match="missing") as raised:
            torch._native_multi_head_attention(torch.ones(1))  # type: ignore[call-overload]
        return [entry.filename for entry in traceback.extract_tb(raised.value.__traceback__)]

    watched = lines()
    session.unwatch()
    assert watched == lines()


@pytest.mark.parametrize("name", fused.LINEARS)
def test_the_stand_in_passes_for_the_function(session: Session, name: str) -> None:
    stand_in = getattr(torch, name)
    session.unwatch()
    original = getattr(torch, name)
    assert stand_in is not original
    assert stand_in == original
    assert {stand_in: 1}[original] == {original: 1}[stand_in] == 1
    assert (repr(stand_in), stand_in.__name__, stand_in.__doc__) == (
        repr(original),
        original.__name__,
        original.__doc__,
    )
    assert copy.deepcopy(stand_in) is stand_in
    assert b"torchtwin" not in pickle.dumps(stand_in)


def test_the_stand_ins_come_off_and_anothers_wrapper_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "_native_multi_head_attention"
    before, session = getattr(torch, name), Session()
    session.watch()
    assert getattr(torch, name) is not before
    session.unwatch()
    assert getattr(torch, name) is before
    session.watch()
    ours = getattr(torch, name)
    theirs: Callable[..., object] = lambda *operands: ours(*operands)  # noqa: E731
    monkeypatch.setattr(torch, name, theirs)
    session.unwatch()
    assert getattr(torch, name) is theirs
    monkeypatch.setattr(torch, name, before)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.torch.jit.trace")
def test_the_fused_path_is_scripted_traced_and_exported_as_without_us(session: Session) -> None:
    layer, x = encoder().layers[0], torch.randn(2, 3, 8)

    def made() -> list[str]:
        with torch.no_grad():
            return [
                str(torch.jit.script(layer).inlined_graph),
                str(torch.jit.trace(layer, x).inlined_graph),
                str(torch.export.export(layer, (x,)).graph),
            ]

    def without_numbers(texts: list[str]) -> list[str]:
        import re

        return [re.sub(r"\.___torch_mangle_\d+| # .*", "", text) for text in texts]

    watched = without_numbers(made())
    session.unwatch()
    assert watched == without_numbers(made())
    assert "_transformer_encoder_layer_fwd" in watched[1]


# compiled


@pytest.mark.parametrize(
    ("define", "run", "where"),
    [
        ("fast = torch.compile(model, backend='eager')", "fast(x)", "`fast`"),
        ("model.compile(backend='eager')", "model(x)", "`model`"),
        ("model.forward = torch.compile(model.forward, backend='eager')", "model(x)", "`model`"),
        ("model[0] = torch.compile(model[0], backend='eager')", "model(x)", "`model[0]`"),
        ("@torch.compile(backend='eager')\ndef step(x): return model(x)", "step(x)", "`step`"),
    ],
    ids=["compiled module", "compile method", "compiled forward", "a part", "function"],
)
def test_what_runs_compiled_is_told(notebook: Notebook, define: str, run: str, where: str) -> None:
    notebook.run(f"model, x = nn.Sequential(nn.Linear(2, 3)), torch.ones(1, 2)\n{define}")
    assert notebook.run(f"y = {run}") == []
    assert [(it.where, it.calls) for it in notebook.session.state().unseen if it.kind == "compiled"] == [(where, None)]


def test_what_the_message_of_a_compiled_layer_advises_makes_it_seen(notebook: Notebook) -> None:
    notebook.run("fast = torch.compile(nn.Sequential(nn.Linear(2, 3)), backend='eager')\ny = fast(torch.ones(1, 2))")
    assert [it.message for it in told(notebook, "compiled")] == [
        "Layers of `fast` run compiled: not seen. With `torch.compiler.set_stance('force_eager')` they are."
    ]
    assert notebook.call("with torch.compiler.set_stance('force_eager'): y = fast(torch.ones(1, 2))")


def test_a_compiled_module_without_layers_and_a_function_that_has_not_run_are_not_told(notebook: Notebook) -> None:
    notebook.run(
        "fast = torch.compile(nn.Sequential(nn.ReLU()), backend='eager')\ny = fast(torch.ones(1, 2))\n"
        "step = torch.compile(lambda x: x, backend='eager')\n"
        "plain = torch.compiler.disable(lambda x: x)\nplain(1)"
    )
    assert told(notebook, "compiled") == []


# scripted


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.torch.jit")
@pytest.mark.parametrize(
    ("define", "count"),
    [
        ("script = torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))", "2 linear calls"),
        ("script = torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2))", "1 linear call"),
        ("script = torch.jit.trace(lambda x: F.linear(x, x), torch.ones(2, 2))", "1 linear call"),
    ],
    ids=["scripted", "traced", "function"],
)
def test_what_runs_in_torchscript_is_told(notebook: Notebook, define: str, count: str) -> None:
    notebook.run(define)
    before = len(notebook.session.calls())
    notebook.run("y = script(torch.ones(2, 2))")
    assert len(notebook.session.calls()) == before
    assert [(it.where, it.message) for it in told(notebook, "scripted")] == [
        (
            "`script`",
            f"`script` runs in TorchScript: {count} of each run are not seen. Run what it was made from instead.",
        )
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_script_without_layers_is_not_told(notebook: Notebook) -> None:
    notebook.run("script = torch.jit.script(nn.Sequential(nn.ReLU()))\ny = script(torch.ones(1, 2))")
    assert told(notebook, "scripted") == []


# all of them


def test_of_very_many_places_the_rest_is_counted(notebook: Notebook) -> None:
    notebook.names.update({f"linear{i}": builtin() for i in range(60)})
    notebook.run("pass")
    listed = told(notebook, "early_bound")
    assert len(listed) == 51
    assert (listed[-1].where, listed[-1].calls) == ("10 more", None)


def test_without_a_watch_only_what_ran_unseen_before_is_told(notebook: Notebook) -> None:
    notebook.names["linear"] = builtin()
    notebook.run("pass")
    assert places(notebook, "early_bound") == ["`linear`"]
    notebook.session.unwatch()
    assert notebook.session.state().unseen == []


def test_a_strange_variable_is_left_alone(notebook: Notebook) -> None:
    class Strange(nn.Module):
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"{name} was asked for")

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        __hash__ = None  # type: ignore[assignment]

    notebook.names["strange"] = Strange()
    torch.compile(lambda x: x, backend="eager")(torch.ones(1))
    notebook.run("pass")
    assert notebook.session.state().unseen == []
