"""What `torchtwin.compare` returns: a verdict that displays."""

from __future__ import annotations

from typing import Any

import msgspec

from torchtwin.kernel.report_html import comparison_html
from torchtwin.kernel.report_text import comparison_text
from torchtwin.protocol import MIME_TYPE, PROTOCOL, Comparison, Diagnosis, Envelope, Number, Page, Probe
from torchtwin.protocol import Verdict as OfGradient


class Verdict:
    """The result of holding two values against each other.

    True in a condition where the two agree: all that was compared is `identical` or `rounding`.
    """

    kind: str
    """`identical`, `rounding`, `different` or `unchecked`."""
    message: str
    reason: str | None
    """Why nothing was compared; only for `unchecked`."""
    equal_elements: int | None
    elements: int | None
    max_abs_diff: Number | None
    max_ulp_diff: int | None
    units: Number | None
    bound: Number | None
    outside: list[int] | None
    coverage: str | None
    probe: Probe | None
    proof: bool
    """Whether the kind follows from the operands of recorded calls, or is judged by the values alone."""
    diagnosis: Diagnosis | None
    note: str | None
    gradients: dict[str, OfGradient]
    """Of functions: a verdict for each tensor in `wrt`, by the words for it."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        for field in msgspec.structs.fields(comparison.verdict):
            setattr(self, field.name, getattr(comparison.verdict, field.name))
        self.gradients = {it.wrt: it.verdict for it in comparison.gradients}

    @property
    def agrees(self) -> bool:
        """Whether everything that was compared agrees, and something was."""
        kinds = [self.kind, *(it.kind for it in self.gradients.values())]
        return self.kind in ("identical", "rounding") and "different" not in kinds

    def __bool__(self) -> bool:
        return self.agrees

    def __repr__(self) -> str:
        return comparison_text(self._comparison)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        envelope = Envelope(PROTOCOL, "", 1, self._comparison)
        page = Page(PROTOCOL, "", 0, 1, 1, [envelope])
        return {
            "text/plain": repr(self),
            "text/html": comparison_html(self._comparison),
            MIME_TYPE: msgspec.to_builtins(page),
        }
