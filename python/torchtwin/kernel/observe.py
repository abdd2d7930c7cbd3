"""Turns what the tap sees into records: one pipeline from the call of `F.linear` to the recorder."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Literal

import msgspec
from torch import Tensor

from torchtwin.kernel import callsite, failure
from torchtwin.kernel.backward import GradOutput
from torchtwin.kernel.callsite import Caller
from torchtwin.kernel.causes.hypotheses import LinearNames
from torchtwin.kernel.cells import Cells
from torchtwin.kernel.check import check_output
from torchtwin.kernel.comparing.looks import Found
from torchtwin.kernel.comparing.matches import SECONDS, Matcher
from torchtwin.kernel.comparing.multiples import multiples_of_gradients
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.coverage import reason_not_to_check
from torchtwin.kernel.describe import operand, transposed
from torchtwin.kernel.fitting import Attempt
from torchtwin.kernel.gradient import GradientCheck, Share, Watched
from torchtwin.kernel.guard import Guard
from torchtwin.kernel.naming import Namer, Names
from torchtwin.kernel.passes import Passes
from torchtwin.kernel.past import Past
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.rank import rank
from torchtwin.kernel.recorder import MAX_CALLS, Recorder
from torchtwin.kernel.swap import SwapTap
from torchtwin.kernel.tensors import TensorTable
from torchtwin.kernel.twin import Twin, expression, gradient_formulas, twin
from torchtwin.kernel.values import Allowance
from torchtwin.protocol import (
    Call,
    GradientFormulas,
    GradientNames,
    Gradients,
    Match,
    Operand,
    Operands,
    Tensors,
    Values,
    Verdict,
)


class Recording:
    """The observer of the tap. Exists only once torch is imported."""

    def __init__(self, recorder: Recorder, guard: Guard, cells: Cells) -> None:
        self._recorder = recorder
        self._guard = guard
        self._cells = cells
        self._namer = Namer(lambda: cells.loop_variables)
        self._allowance = Allowance()
        self.past = Past(MAX_CALLS)
        self.tensors = TensorTable(self.past.outputs)
        passes = Passes(guard, self._note_gradient)
        self.contributions: Callable[[Tensor], list[int]] = passes.contributions
        """The calls whose shares a parameter's `.grad` holds."""
        self._gradients = GradientCheck(guard, self._gradient_arrived, passes)
        self.unheard = self._gradients.unheard
        self.tracer = Tracer(recorder, self.past, passes)
        self._matcher = Matcher(self.past, self.tracer, self._multiples)
        self.changed: set[str] = set()
        """The names that were bound or changed between the last two looks at what they match."""
        self._swaps = SwapTap(guard(self._let_go))
        self.returned: Callable[..., None] = guard(quietly(self._returned))
        self.raised: Callable[..., None] = guard(quietly(self._raised))

    def cell_begins(self) -> None:
        """The namespace may be another than before."""
        self._namer.forget()
        self._allowance.renew()
        self.past.stretch += 1

    def match(self, names: Mapping[str, Any], seconds: float = SECONDS) -> int:
        """Tells which variables are outputs or gradients of calls. Returns how many it had no time for."""
        look = self._matcher.after_cell(names, seconds)
        self.changed, gone = look.changed, look.changed | look.outdated
        for id in {call.id for call in self._recorder.calls() if any(it.name in gone for it in call.matches)}:
            self._change_matches(id, lambda matches: [it for it in matches if it.name not in gone])
        for it in look.found:
            self._change_matches(it.call, functools.partial(_with_match, new=it.match))
        return look.left_out

    def look_at(self, words: str, value: object) -> Found | None:
        """What one value matches, or nearly; nothing is recorded of it."""
        return self._matcher.look_at(words, value)

    def cell_ended(self, names: Mapping[str, Any]) -> Tensors:
        """The names have settled: the table of the tensors."""
        left_out = self.match(names)
        self.past.cell_ended(names)
        return msgspec.structs.replace(self.tensors.after_cell(names), unmatched=left_out)

    def _multiples(self) -> frozenset[str]:
        cell = self._cells.running
        return frozenset() if cell is None else multiples_of_gradients(cell.python)

    def _change_matches(self, id: int, change: Callable[[list[Match]], list[Match]]) -> None:
        self._recorder.update(id, lambda call: msgspec.structs.replace(call, matches=change(call.matches)))

    def start(self) -> None:
        """Harmless when it is on already."""
        self._swaps.put_on()

    def stop(self) -> None:
        """Takes every hook off the user's graphs, and lets go of their tensors."""
        self._swaps.take_off()
        self._let_go()

    def _let_go(self) -> None:
        self._gradients.stop()
        self.clear()

    def clear(self) -> None:
        self.past.clear()
        self._matcher.forget()

    def _returned(self, frame: FrameType, input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> None:
        if _is_symbolic(input) or _is_symbolic(weight):
            return
        caller = callsite.caller(frame)
        names = self._namer.names(caller, input, weight, bias)
        text = expression(names, input, weight, bias, output.dtype)
        used = names.placeholders & {names.input_text, names.weight, names.bias if bias is not None else ""}
        words = LinearNames(names.input_text, names.weight, names.bias, text, used)
        forward, values = self._checked(input, weight, bias, output, words)
        operands = {"input": input, "weight": weight, "bias": bias, "output": output}
        id = self._recorder.next_id()
        call = Call(
            id=id,
            name=names.call,
            expression=text,
            site=self._cells.site(caller.text),
            operands=_operands(names, input, weight, bias, output),
            forward=forward,
            gradients=Gradients(),
            gradient_formulas=gradient_formulas(names, input, weight, bias, output.dtype),
            gradient_names=_gradient_names(names, bias),
            error=None,
            values=values,
            time=time.time(),
            rank=rank(),
        )
        self._recorder.add(call)
        self.past.hold(id, operands, caller.text.call, copy=forward.kind != "unchecked")
        if output.grad_fn is not None:
            self._watch_gradients(id, names, operands, input, output, forward)

    def _checked(
        self, input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor, names: LinearNames
    ) -> tuple[Verdict, Values]:
        """A fault of ours costs the verdict, not the record. What is not checked may not be readable at all."""
        if reason := reason_not_to_check(input, weight, bias, output):
            return unchecked(reason), Values()
        try:
            used = twin(input, weight, bias, output)
            forward, formula = check_output(used, output, names)
            return forward, self._values(used, output, formula if forward.kind != "identical" else None)
        except Exception as error:
            self._guard.caught(error)
            return unchecked("an internal error of Torchtwin"), Values()

    def _values(self, used: Twin, output: Tensor, formula: Tensor | None) -> Values:
        take = self._allowance.numbers
        return Values(
            input=take(used.input),
            weight=take(used.weight),
            bias=take(used.bias),
            output=take(output),
            twin_output=take(formula),
        )

    def _watch_gradients(
        self,
        id: int,
        names: Names,
        operands: dict[str, Tensor | None],
        input: Tensor,
        output: Tensor,
        forward: Verdict,
    ) -> None:
        is_checked = forward.kind != "unchecked"
        reason = self._gradients.watch(_watched(id, names, operands), input, output) if is_checked else forward.reason
        if reason is None:
            return
        verdict = unchecked(reason)
        gradients = Gradients(verdict, None if operands["bias"] is None else verdict, verdict)
        self._recorder.update(id, lambda call: msgspec.structs.replace(call, gradients=gradients))

    def _gradient_arrived(self, id: int, shares: list[Share], grad_output: GradOutput | None) -> None:
        verdicts = {share.operand: share.verdict for share in shares}
        self.past.hold_pass(id, grad_output, {s.operand: s.layer for s in shares if s.layer is not None})
        values = dict(self._share_values(shares, None if grad_output is None else grad_output.value))

        def change(call: Call) -> Call:
            return msgspec.structs.replace(
                call,
                gradients=msgspec.structs.replace(call.gradients, **verdicts),
                values=msgspec.structs.replace(call.values, **values),
            )

        self._recorder.update(id, change)

    def _share_values(self, shares: list[Share], grad_output: Tensor | None) -> dict[str, object]:
        take = self._allowance.numbers
        values: dict[str, object] = {} if grad_output is None else {"grad_output": take(grad_output)}
        for share in shares:
            differs = share.verdict.kind not in ("identical", "unchecked")
            values[f"grad_{share.operand}"] = take(share.layer)
            values[f"twin_grad_{share.operand}"] = take(share.formula) if differs else None
        return values

    def _note_gradient(self, id: int, operand: str, sentence: str) -> None:
        def change(call: Call) -> Call:
            verdict: Verdict | None = getattr(call.gradients, operand)
            if verdict is None:
                return call
            note = f"{verdict.note}; {sentence}" if verdict.note else sentence
            noted = {operand: msgspec.structs.replace(verdict, note=note)}
            return msgspec.structs.replace(call, gradients=msgspec.structs.replace(call.gradients, **noted))

        self._recorder.update(id, change)

    def _raised(self, frame: FrameType, input: object, weight: object, bias: object, error: Exception) -> None:
        caller = callsite.caller(frame)
        names = self._namer.names(caller, input, weight, bias)
        explained = failure.explain(_attempt(caller, names, input, weight, bias), error, self._guard.caught)
        text = _attempted(names, input, weight, bias)
        operands = _operands(names, input, weight, bias, None)
        if failure.says_more(explained):
            BaseException.add_note(error, failure.note(explained, text, _shapes(operands)))
        self._recorder.add(
            Call(
                id=self._recorder.next_id(),
                name=names.call,
                expression=text,
                site=self._cells.site(caller.text),
                operands=operands,
                forward=unchecked("the call raised"),
                gradients=Gradients(),
                gradient_formulas=GradientFormulas("", None, ""),
                gradient_names=_gradient_names(names, bias),
                error=explained,
                values=Values(),
                time=time.time(),
                rank=rank(),
            )
        )


def _with_match(matches: list[Match], new: Match) -> list[Match]:
    return [*(it for it in matches if (it.name, it.of) != (new.name, new.of)), new]


def _is_symbolic(tensor: Tensor) -> bool:
    """Whether a tracer follows the sizes: reading one as a number would fix it in the user's graph."""
    return not tensor.is_nested and any(type(size) is not int for size in tensor.shape)


def _gradient_names(names: Names, bias: object) -> GradientNames:
    where = names.gradients
    return GradientNames(where["weight"], None if bias is None else where["bias"], where["input"])


def _watched(id: int, names: Names, operands: dict[str, Tensor | None]) -> Watched:
    shapes = {role: None if tensor is None else tensor.shape for role, tensor in operands.items()}
    return Watched(
        id=id,
        shapes=shapes,
        names={"input": names.input, "weight": names.weight_itself, "bias": names.bias_itself},
        gradients=names.gradients,
        requires_grad={role: tensor is not None and tensor.requires_grad for role, tensor in operands.items()},
    )


def _operands(names: Names, input: object, weight: object, bias: object, output: object) -> Operands:
    of_weight = _operand(names.weight, weight)
    return Operands(
        input=_operand(names.input, input),
        weight=of_weight,
        weight_t=None if of_weight is None else transposed(of_weight),
        bias=_operand(names.bias, bias),
        output=_operand(names.output, output),
    )


def _operand(name: str, value: object) -> Operand | None:
    is_array = (type(value).__module__, type(value).__qualname__) == ("numpy", "ndarray")
    return operand(name, value) if isinstance(value, Tensor) or is_array else None


def _attempted(names: Names, input: object, weight: object, bias: object) -> str:
    if isinstance(input, Tensor) and isinstance(weight, Tensor):
        return expression(names, input, weight, bias if isinstance(bias, Tensor) else None, None)
    return f"{names.input_text} @ {names.weight}.T" + (f" + {names.bias}" if isinstance(bias, Tensor) else "")


def _attempt(caller: Caller, names: Names, input: object, weight: object, bias: object) -> Attempt:
    made_by: Literal["layer", "function", "inside"]
    made_by = "layer" if caller.plain else "function" if caller.route == "function" else "inside"
    return Attempt(names, made_by, input, weight, bias)


def _shapes(operands: Operands) -> list[str]:
    """`[1, 2]`, `[2, 3]`, `[1, 3]`; `?` for what has none."""
    known = [operands.input, operands.weight_t, *([operands.bias] if operands.bias else [])]
    return ["?" if it is None else str(it.shape) for it in known]
