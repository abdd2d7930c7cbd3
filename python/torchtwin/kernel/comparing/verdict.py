"""What `torchtwin.compare` returns: a verdict that displays."""

from __future__ import annotations

from typing import Any

import msgspec

from torchtwin.kernel.report_html import comparison_html
from torchtwin.kernel.report_text import comparison_text
from torchtwin.protocol import MIME_TYPE, PROTOCOL, Comparison, Diagnosis, Envelope, Number, Page, Probe
from torchtwin.protocol import Verdict as OfGradient


class Verdict:
    """The result of holding two values, or two functions, against each other.

    True in a condition where the two agree; shown in a notebook, or printed, as a small table with the cause.

    What you will want to know:

    - `agrees`: whether all that was asked for is `identical` or `rounding`: the values, and each gradient of `wrt`. One
      that is `unchecked` does not agree, as where a backward raised, or where nothing depends on the tensor in either
      function: then there is no gradient to compare, and `wrt` should not ask for it.
    - `kind`: `identical` (every element that was compared is the same), `rounding` (every difference is one that
      rounding can cause), `different` (at least one element is outside of that, or the shape is another) or `unchecked`
      (nothing was compared, for the `reason`). What was compared tells `coverage`, how surely it is so, `proof`.
    - `message`: the figures in a sentence.
    - `diagnosis`: None, or why the two are `different`. `diagnosis.message` says what is wrong and what to write
      instead; `diagnosis.code` is one of `shape`, `missing_transpose`, `missing_bias`, `bias_twice`, `scaled`,
      `negated`, `permuted`, `stale_operand`, `lower_precision`, `partial`, `nonfinite`, `unexplained`;
      `diagnosis.also` lists further codes, where only several causes together explain the difference.
    - `gradients`: of functions, a verdict like this one (without `agrees` and `gradients`) for each tensor of `wrt`,
      by your words for it: `verdict.gradients["fc.weight"].kind`.
    - `proof`: whether the kind follows from the operands of a recorded call, by a rigorous bound. Where it is false,
      the two were judged by their values alone: `different` may then be rounding that was carried on and has grown.
    - `note`: None, or what else there is to know, as which call's operands the proof rests on.

    The figures, each None where nothing was compared:

    - `elements`, `equal_elements`: how many there are, and how many are the same.
    - `max_abs_diff`, `max_ulp_diff`: the largest difference, as a number and in units in the last place of the less
      precise dtype. A figure that is no number is one of the words `nan`, `inf`, `-inf`.
    - `units`, `bound`: the largest difference, and how much rounding can explain there, both in multiples of
      u * (|x| |w|^T + |b|) with u the unit roundoff.
    - `outside`: the row-major places of the first 256 elements that rounding can't explain.
    - `coverage`: `all`, or what was compared of a large result. `probe`: what a random probe of one would have seen.
    """

    kind: str
    message: str
    reason: str | None
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
    diagnosis: Diagnosis | None
    note: str | None
    gradients: dict[str, OfGradient]

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        for field in msgspec.structs.fields(comparison.verdict):
            setattr(self, field.name, getattr(comparison.verdict, field.name))
        self.gradients = {it.wrt: it.verdict for it in comparison.gradients}

    @property
    def agrees(self) -> bool:
        """Whether everything that was asked for was compared, and is the same but for rounding."""
        kinds = [self.kind, *(it.kind for it in self.gradients.values())]
        return all(kind in ("identical", "rounding") for kind in kinds)

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
