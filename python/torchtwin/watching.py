"""The public functions. They load what they need when they are called."""

from __future__ import annotations

from types import TracebackType
from typing import Any


class Watch:
    """What `watch()` returns: as a context manager it ends the watch that it began."""

    def __init__(self, began: bool) -> None:
        self._began = began

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._began:
            unwatch()


def watch() -> Watch:
    """Records every `nn.Linear` and `F.linear` call from now on, once torch is imported.

    Use it as a statement, or as `with torchtwin.watch():`. A block inside an outer watch leaves the outer one on.
    """
    from torchtwin.kernel.session import session

    began = not session.watching
    session.watch()
    return Watch(began)


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
    from torchtwin.kernel.recorder import plain
    from torchtwin.kernel.session import session

    return [plain(call) for call in session.calls()]
