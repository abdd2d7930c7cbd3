"""The public functions. They load what they need when they are called."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchtwin.kernel.session import Choices
    from torchtwin.protocol import Mode

MODES = ("shapes", "auto", "every")


class Watch:
    """What `watch()` returns: as a context manager it ends the watch that it began, and restores the mode."""

    def __init__(self, began: bool, mode: Mode, budget: float, choices: Choices) -> None:
        self._began = began
        self._mode: Mode = mode
        self._budget = budget
        self._choices = choices

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from torchtwin.kernel.session import session

        if self._began:
            session.unwatch()
        session.set_mode(self._mode, self._budget)
        session.choices = self._choices  # what was chosen for the block is undone


def watch(mode: Mode | None = None, budget: float | None = None) -> Watch:
    """Records every `nn.Linear` and `F.linear` call from now on, once torch is imported.

    `mode`: `"auto"` (the default) checks as many calls as a share of the running time allows, of each layer the first
    and later ones in turn; `"every"` checks each call, forward and gradient; `"shapes"` records only. `budget`: that
    share, 0.03 for 3 %. What is left out stays as it is.

    Use it as a statement, or as `with torchtwin.watch():`, after which mode and budget are as before. A block inside an
    outer watch leaves the outer one on.

    Raises:
        ValueError: the mode is another word, or the budget is not above 0 and at most 1.
    """
    from torchtwin.kernel.session import session

    if mode is not None and mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(map(repr, MODES))}")
    if budget is not None and not (isinstance(budget, int | float) and 0 < budget <= 1):
        raise ValueError(f"budget is {budget!r}; it is a share of the running time, above 0 and at most 1: 0.03 is 3 %")
    before = Watch(not session.watching, session.mode, session.budget, session.choices)
    session.watch(mode, budget)
    return before


def unwatch() -> None:
    """Records no more, and leaves neither patch nor hook behind. The records stay."""
    from torchtwin.kernel.session import session

    session.unwatch()


def clear() -> None:
    """Drops all records."""
    from torchtwin.kernel.session import session

    session.clear()


def records() -> list[dict[str, Any]]:
    """The recorded calls as plain, JSON-able dicts, oldest first, at most the last 10,000.

    Keys: `id`, `name`, `expression`, `site` (`cell_id`, `execution_count`, `file`, `line`, `source`), `operands`
    (`input`, `weight`, `weight_t`, `bias`, `output`: each null or `name`, `shape`, `dtype`, `device`, `requires_grad`),
    `forward` (a verdict), `gradients` (`weight`, `bias`, `input`: each a verdict, or null before backward),
    `gradient_formulas` and `gradient_names` (the same three keys), `error` (null, or the failure explained), `values`
    (elements of small operands), `time` (seconds since the epoch) and `matches`: the variables that were found after a
    cell to be this output or one of these gradients, or nearly. Each has `name` (`by_hand`, `w.grad`), `of`
    (`output`, or `weight`, `bias` or `input` for the gradient of that operand) and `verdict`, whose kind is `different`
    only for a near miss, which always has a `diagnosis`. `rank` is that of the process within `torch.distributed`, null
    outside of it.

    A verdict has `kind`, `message`, `reason`, `equal_elements`, `elements`, `max_abs_diff`, `max_ulp_diff`, `units`,
    `bound`, `outside` (row-major places of elements that rounding cannot explain), `coverage`, `probe` (what a probe
    would have seen: `smallest`, `probability`, `alarms`), `proof`, `diagnosis` (`code`, `message`, `also`) and `note`.
    """
    from torchtwin.kernel.recorder import MAX_CALLS, plain
    from torchtwin.kernel.session import session

    return [plain(call) for call in session.latest(MAX_CALLS)]
