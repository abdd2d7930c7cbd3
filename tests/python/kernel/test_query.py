"""Questions of a host, and how one element came about, computed again by hand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.python.kernel.conftest import Notebook

from torchtwin.kernel import past
from torchtwin.kernel.query import Query
from torchtwin.protocol import Done, ElementTerms, Pages, Refused, Reply

SETUP = """\
x = torch.tensor([[10., 20.]])
fc = nn.Linear(2, 3)
fc.weight.data = torch.tensor([[11., 12.], [21., 22.], [31., 32.]])
fc.bias.data = torch.tensor([31., 32., 33.])
y = fc(x)
"""


def ask(notebook: Notebook, **request: Any) -> Reply:
    return Query(notebook.session).answer({"id": "1", "request": request})


def element(notebook: Notebook, call: int, *index: int, of: str = "output") -> Reply:
    return ask(notebook, type="element", call=call, of=of, index=list(index))


@pytest.fixture
def only_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tensor counts as too large for a copy."""
    monkeypatch.setattr(past, "MAX_COPIED", 0)


def test_elements_of_small_operands_are_known_whatever_became_of_them(notebook: Notebook) -> None:
    call = notebook.call(SETUP)
    notebook.run("fc.weight.data = torch.zeros(3, 2)\nx.zero_()\ndel y")
    reply = element(notebook, call.id, 0, 1)
    assert isinstance(reply, ElementTerms)
    assert (reply.left, reply.right, reply.bias, reply.layer) == ([10.0, 20.0], [21.0, 22.0], 32.0, 682.0)


def test_an_element_is_its_products_and_its_bias(notebook: Notebook) -> None:
    call = notebook.call(SETUP)
    reply = element(notebook, call.id, 0, 1)
    assert isinstance(reply, ElementTerms)
    assert (reply.left, reply.right, reply.bias, reply.layer) == ([10.0, 20.0], [21.0, 22.0], 32.0, 682.0)
    assert (reply.left_name, reply.right_name, reply.bias_name) == ("x[0]", "fc.weight[1]", "fc.bias[1]")


def test_elements_of_batches_are_found(notebook: Notebook) -> None:
    call = notebook.call("x = torch.arange(24.).reshape(2, 3, 4)\nfc = nn.Linear(4, 5, bias=False)\ny = fc(x)")
    reply = element(notebook, call.id, 1, 2, 4)
    assert isinstance(reply, ElementTerms)
    assert reply.left == [20.0, 21.0, 22.0, 23.0]
    assert reply.left_name == "x[1, 2]"
    assert reply.bias is None
    assert isinstance(reply.layer, float)
    assert reply.layer == pytest.approx(
        sum(float(a) * float(b) for a, b in zip(reply.left, reply.right, strict=True)), rel=1e-5
    )


def test_a_two_dimensional_bias_is_indexed_in_its_own_shape(notebook: Notebook) -> None:
    call = notebook.call(SETUP.replace("[31., 32., 33.])\ny", "[[31., 32., 33.]])\ny"))
    reply = element(notebook, call.id, 0, 2)
    assert isinstance(reply, ElementTerms)
    assert (reply.bias, reply.bias_name) == (33.0, "fc.bias[0, 2]")


def test_an_operand_that_no_longer_exists_is_gone(notebook: Notebook, only_large: None) -> None:
    call = notebook.call(SETUP.replace("y =", "with torch.no_grad(): y ="))
    del notebook.names["x"]
    reply = element(notebook, call.id, 0, 1)
    assert reply == Refused("gone", "`x` no longer exists as it was when the call was made")


def test_an_operand_changed_in_place_since_is_gone(notebook: Notebook, only_large: None) -> None:
    call = notebook.call(SETUP)
    notebook.run("x.add_(1)")
    reply = element(notebook, call.id, 0, 1)
    assert isinstance(reply, Refused)
    assert reply.code == "gone"


def test_a_weight_whose_data_was_exchanged_since_is_gone(notebook: Notebook, only_large: None) -> None:
    call = notebook.call(SETUP)
    notebook.run("fc.weight.data = torch.zeros(3, 2)")
    reply = element(notebook, call.id, 0, 1)
    assert isinstance(reply, Refused)
    assert reply.code == "gone"


@pytest.mark.parametrize("index", [(0, 3), (1, 0), (0,), (0, 0, 0), (-1, 0)])
def test_an_index_outside_is_refused(notebook: Notebook, index: tuple[int, ...]) -> None:
    call = notebook.call(SETUP)
    reply = element(notebook, call.id, *index)
    assert reply == Refused("invalid", f"{list(index)} is not an index into shape [1, 3]")


def test_an_unknown_call_is_refused(notebook: Notebook) -> None:
    notebook.run(SETUP)
    reply = element(notebook, 99, 0, 0)
    assert isinstance(reply, Refused)
    assert reply.code == "unknown"


def test_a_gradient_that_did_not_travel_is_refused_as_too_large(notebook: Notebook) -> None:
    call = notebook.call(SETUP)
    reply = element(notebook, call.id, 0, 0, of="weight")
    assert isinstance(reply, Refused)
    assert reply.code == "too_large"


def test_a_replay_gives_what_happened_after(notebook: Notebook) -> None:
    notebook.run(SETUP)
    whole = ask(notebook, type="replay", after=0)
    assert isinstance(whole, Pages)
    rest = ask(notebook, type="replay", after=whole.page.upto)
    assert isinstance(rest, Pages)
    assert (rest.page.envelopes, rest.page.upto) == ([], whole.page.upto)


def test_the_watch_is_switched(notebook: Notebook) -> None:
    assert ask(notebook, type="watch", on=False) == Done()
    assert not notebook.session.watching
    assert notebook.run(SETUP) == []
    assert ask(notebook, type="watch", on=True) == Done()
    assert len(notebook.run(SETUP)) == 1


def test_clearing_drops_the_calls(notebook: Notebook) -> None:
    notebook.run(SETUP)
    assert ask(notebook, type="clear") == Done()
    assert notebook.session.calls() == []


@pytest.mark.parametrize("data", [None, 3, {}, {"id": "1"}, {"id": "1", "request": {"type": "nonsense"}}])
def test_what_is_not_a_request_is_refused(notebook: Notebook, data: object) -> None:
    reply = Query(notebook.session).answer(data)
    assert isinstance(reply, Refused)
    assert reply.code == "invalid"


def test_a_fault_of_ours_is_told_as_such(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook.session, "clear", lambda: 1 / 0)
    reply = ask(notebook, type="clear")
    assert reply == Refused("failed", "ZeroDivisionError: division by zero")
    notebook.session.guard.__init__()  # type: ignore[misc]  # the fixture insists on no fault


class FakeComm:
    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.closed = 0

    def on_msg(self, callback: Any) -> None:
        self.asked = callback

    def on_close(self, callback: Any) -> None:
        self.gone = callback

    def send(self, data: Any) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed += 1


def test_answers_go_out_with_the_id_of_the_question(notebook: Notebook) -> None:
    comm = FakeComm()
    Query(notebook.session).opened(comm, {})
    comm.asked({"content": {"data": {"id": "abc", "request": {"type": "clear"}}}})
    assert comm.sent == [{"id": "abc", "reply": msgspec.to_builtins(Done())}]


def test_who_still_listens_is_told_that_nobody_answers_any_more(notebook: Notebook) -> None:
    query, gone, listening = Query(notebook.session), FakeComm(), FakeComm()
    query.opened(gone, {})
    query.opened(listening, {})
    gone.gone({})
    query.close()
    query.close()
    assert (gone.closed, listening.closed) == (0, 1)


def test_a_host_sets_mode_and_budget(notebook: Notebook) -> None:
    assert isinstance(ask(notebook, type="mode", mode="shapes", budget=0.25), Done)
    state = notebook.session.state()
    assert (state.mode, state.budget) == ("shapes", 0.25)
    assert isinstance(ask(notebook, type="mode", mode="auto", budget=None), Done)
    state = notebook.session.state()
    assert (state.mode, state.budget) == ("auto", 0.25)


@pytest.mark.parametrize(("mode", "budget"), [("all", None), ("auto", 0), ("auto", -1), ("auto", 1.5), ("auto", "3%")])
def test_a_mode_or_a_budget_that_there_is_not_is_refused(notebook: Notebook, mode: str, budget: object) -> None:
    reply = ask(notebook, type="mode", mode=mode, budget=budget)
    assert isinstance(reply, Refused)
    assert reply.code == "invalid"
    assert (notebook.session.mode, notebook.session.budget) == ("every", 0.03)
