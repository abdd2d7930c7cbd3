"""`%twin mode`: what its words mean, what it sets, and what it answers to words that mean nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython

from torchtwin.kernel.magics import TwinMagics
from torchtwin.kernel.query import Query
from torchtwin.kernel.session import Session
from torchtwin.kernel.twin_line import mode_meant, share_meant
from torchtwin.protocol import Asked, Mode, SetMode, SetWatch
from torchtwin.watching import MODES


@pytest.mark.parametrize(
    ("word", "share"),
    [
        ("5%", 0.05),
        ("0.05", 0.05),
        ("100%", 1.0),
        ("1", 1.0),
        ("0.5%", 0.005),
        ("0", None),
        ("0%", None),
        ("-3%", None),
        ("101%", None),
        ("3", None),
        ("nan", None),
        ("nan%", None),
        ("inf", None),
        ("five", None),
        ("%", None),
        ("5%%", None),
    ],
)
def test_a_share_is_above_0_and_at_most_1(word: str, share: float | None) -> None:
    assert share_meant(word) == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("", (None, None)),
        ("auto", ("auto", None)),
        ("every", ("every", None)),
        ("shapes", ("shapes", None)),
        ("  auto   5% ", ("auto", 0.05)),
        ("auto 0.1", ("auto", 0.1)),
        ("every 5%", None),
        ("shapes 5%", None),
        ("auto 0", None),
        ("auto 5 %", None),
        ("all", None),
        ("Auto", None),
    ],
)
def test_the_words_of_a_mode(words: str, meant: tuple[Mode | None, float | None] | None) -> None:
    assert mode_meant(words) == meant


def test_each_mode_of_the_protocol_can_be_chosen_in_words_and_by_the_function() -> None:
    assert set(MODES) == set(get_args(Mode))
    assert [mode_meant(mode) for mode in MODES] == [(mode, None) for mode in MODES]


@pytest.fixture(scope="module")
def _shell() -> InteractiveShell:
    return start_ipython() or InteractiveShell.instance()


@pytest.fixture
def shell(_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    session = Session()
    magics = TwinMagics(_shell, session)
    magics.register()
    _shell.user_ns["session"] = session
    yield _shell
    magics.unregister()
    session.unwatch()
    assert session.guard.report() is None
    _shell.reset(new_session=False)


def said(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str) -> str:
    capsys.readouterr()
    shell.run_cell(cell)
    out, err = capsys.readouterr()
    return out + err


def test_the_mode_is_set_and_told(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    session: Session = shell.user_ns["session"]
    assert "mode every: every call is checked" in said(shell, capsys, "%twin mode every")
    assert session.mode == "every"
    assert "mode shapes: calls are recorded, none is checked" in said(shell, capsys, "%twin mode shapes")
    assert session.mode == "shapes"
    told = said(shell, capsys, "%twin mode auto 12.5%")
    assert "mode auto: as many calls are checked as 12.5 % of the running time allow" in told
    assert (session.mode, session.budget) == ("auto", 0.125)
    assert not session.watching


def test_the_mode_alone_is_told_and_stays(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    session: Session = shell.user_ns["session"]
    said(shell, capsys, "%twin mode shapes")
    assert "mode shapes" in said(shell, capsys, "%twin mode")
    assert (session.mode, session.budget) == ("shapes", 0.03)


def test_words_that_mean_nothing_change_nothing(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    session: Session = shell.user_ns["session"]
    told = said(shell, capsys, "%twin mode often")
    assert told.startswith("%twin mode takes `auto`")
    assert told.rstrip().endswith("'often' was not used.")
    assert "200%" in said(shell, capsys, "%twin mode auto 200%")
    assert (session.mode, session.budget) == ("auto", 0.03)


def test_a_variable_of_that_name_is_asked_about_instead(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    session: Session = shell.user_ns["session"]
    told = said(shell, capsys, "import torch\nmode = torch.ones(2)\n%twin mode == torch.ones(2)\n%twin mode")
    assert "identical" in told
    assert "mode auto" not in told
    said(shell, capsys, "%twin mode every")
    assert session.mode == "every"


def test_a_reported_cell_checks_each_call_and_gives_the_mode_back(shell: InteractiveShell) -> None:
    session: Session = shell.user_ns["session"]
    session.set_mode("shapes", 0.5)
    shell.run_cell("%%twin\nwithin = session.mode").raise_error()
    assert shell.user_ns["within"] == "every"
    assert (session.mode, session.budget, session.watching) == ("shapes", 0.5, False)


def test_a_reported_cell_that_raises_gives_the_mode_back(shell: InteractiveShell) -> None:
    session: Session = shell.user_ns["session"]
    session.set_mode("shapes")
    shell.run_cell("%%twin\n1 / 0")
    assert session.mode == "shapes"


def test_a_mode_that_the_reported_cell_chose_itself_stays(shell: InteractiveShell) -> None:
    session: Session = shell.user_ns["session"]
    shell.run_cell("%%twin\n%twin mode shapes")
    assert session.mode == "shapes"


def test_a_share_that_the_reported_cell_chose_itself_stays(shell: InteractiveShell) -> None:
    session: Session = shell.user_ns["session"]
    shell.run_cell("%%twin\n%twin mode auto 50%")
    assert (session.mode, session.budget) == ("auto", 0.5)


def test_a_mode_that_the_panel_chose_while_a_reported_cell_ran_stays(shell: InteractiveShell) -> None:
    session: Session = shell.user_ns["session"]
    shell.run_cell("%%twin\nsession.set_mode('shapes')").raise_error()
    assert session.mode == "shapes"


def test_a_reported_cell_within_a_reported_cell_gives_the_mode_back(shell: InteractiveShell) -> None:
    session: Session = shell.user_ns["session"]
    session.set_mode("shapes")
    shell.run_cell("%%twin\nget_ipython().run_cell('%%twin\\n1')\nwithin = session.mode").raise_error()
    assert shell.user_ns["within"] == "every"
    assert session.mode == "shapes"


PANEL = {
    "on": SetWatch(True),
    "off": SetWatch(False),
    "every": SetMode("every", None),
    "shapes": SetMode("shapes", None),
}


@pytest.mark.parametrize("cell", ["%%twin\n{}", "%twin {} is None"])
@pytest.mark.parametrize(
    ("before", "choice", "after"),
    [
        ((False, "auto"), "on", (True, "auto")),
        ((True, "auto"), "off", (False, "auto")),
        ((False, "auto"), "every", (False, "every")),
        ((True, "auto"), "every", (True, "every")),
        ((True, "every"), "shapes", (True, "shapes")),
    ],
)
def test_what_is_chosen_in_the_panel_while_a_magic_watches_holds_after_it(
    shell: InteractiveShell, cell: str, before: tuple[bool, Mode], choice: str, after: tuple[bool, Mode]
) -> None:
    session: Session = shell.user_ns["session"]
    session.set_mode(before[1])
    if before[0]:
        session.watch()
    query, asked = Query(session), msgspec.to_builtins(Asked("1", PANEL[choice]))
    shell.user_ns["ask"] = lambda: query.answer(asked)
    shell.run_cell(cell.format("ask()"))
    assert (session.watching, session.mode) == after


@pytest.mark.parametrize("watching", [True, False])
@pytest.mark.parametrize(
    "cell",
    [
        "%%twin\n1",
        "%%twin\nget_ipython().run_cell('%%twin\\n1')",
        "%%twin\n1 / 0",
        "%%twin\n%twin 1 == 1",
        "%twin 1 == 1",
    ],
)
def test_where_nothing_is_chosen_a_magic_leaves_watch_and_mode_as_they_were(
    shell: InteractiveShell, cell: str, watching: bool
) -> None:
    session: Session = shell.user_ns["session"]
    session.set_mode("shapes")
    if watching:
        session.watch()
    shell.run_cell(cell)
    assert (session.watching, session.mode) == (watching, "shapes")


def test_a_question_after_the_watch_was_turned_off_in_a_twin_cell_leaves_it_off(shell: InteractiveShell) -> None:
    session: Session = shell.user_ns["session"]
    session.watch()
    shell.run_cell("%%twin\n%twin off\n%twin 1 == 1")
    assert not session.watching


def test_a_mode_is_no_choice_of_the_watch_nor_a_budget_one_of_the_mode(shell: InteractiveShell) -> None:
    session: Session = shell.user_ns["session"]
    shell.run_cell("%%twin\n%twin mode every")
    assert (session.watching, session.mode) == (False, "every")
    session.set_mode("auto")
    shell.run_cell("%%twin\nsession.set_mode(None, 0.1)")
    assert (session.watching, session.mode, session.budget) == (False, "auto", 0.1)
