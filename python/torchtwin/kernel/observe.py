"""Turns what the tap sees into records: one pipeline from the call of `F.linear` to the recorder."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Hashable, Mapping
from types import FrameType
from typing import Any, NamedTuple

import msgspec
from torch import Tensor, nn

from torchtwin.kernel import callsite
from torchtwin.kernel.backward import GradOutput
from torchtwin.kernel.budget import Budget
from torchtwin.kernel.callsite import Caller
from torchtwin.kernel.causes.hypotheses import LinearNames
from torchtwin.kernel.cells import Cells
from torchtwin.kernel.check import check_output, queue_output
from torchtwin.kernel.comparing.origin import Tracer
from torchtwin.kernel.coverage import is_queued, reason_not_to_check
from torchtwin.kernel.failures import Failures
from torchtwin.kernel.fastpath import FastPath
from torchtwin.kernel.forms import Form, Forms, Key, key_of, leading, place_of
from torchtwin.kernel.gradient import GradientCheck, Share
from torchtwin.kernel.guard import ChargingGuard, Guard
from torchtwin.kernel.matching import Matching
from torchtwin.kernel.naming import Namer, Names
from torchtwin.kernel.passes import Passes
from torchtwin.kernel.past import Past
from torchtwin.kernel.proof.judge import unchecked
from torchtwin.kernel.proof.pending import Pending
from torchtwin.kernel.proof.probe import Silent
from torchtwin.kernel.proof.queue import TO_COME, Queue
from torchtwin.kernel.quiet import quietly
from torchtwin.kernel.rank import rank
from torchtwin.kernel.recorder import MAX_CALLS, Recorder
from torchtwin.kernel.sampler import Sampler
from torchtwin.kernel.swap import SwapTap
from torchtwin.kernel.tensors import TensorTable
from torchtwin.kernel.told import gradient_names, operands_of, watched
from torchtwin.kernel.twin import Twin, expression, gradient_formulas, twin
from torchtwin.kernel.values import Allowance
from torchtwin.protocol import (
    Call,
    Gradients,
    Mode,
    Tensors,
    Values,
    Verdict,
)

BEATS_OF_TRUST = 20
"""After so many, a layer's next call is looked at again: its words may mean something else, or it has moved.

One layer a beat at most, so that a model of many layers costs no more than one of twenty.
"""


class Recording:
    """The observer of the tap. Exists only once torch is imported."""

    def __init__(
        self, recorder: Recorder, guard: Guard, cells: Cells, budget: Budget | None = None, mode: Mode = "every"
    ) -> None:
        self._budget = budget or Budget()
        guard = ChargingGuard(guard, self._budget.charged)
        self._recorder = recorder
        self.fast = FastPath(recorder.pending)
        self._forms = Forms(self.fast)
        self._sampler = Sampler(self._budget, self.fast)
        self._beats = 0
        self._guard = guard
        self._cells = cells
        self._namer = Namer(lambda: cells.loop_variables)
        self._failures = Failures(self._namer, cells, guard.caught)
        self._allowance = Allowance()
        self.past = Past(MAX_CALLS)
        self.tensors = TensorTable(self.past.outputs)
        passes = Passes(guard, self._note_gradient)
        self.contributions: Callable[[Tensor], list[int]] = passes.contributions
        """The calls whose shares a parameter's `.grad` holds."""
        self._gradients = GradientCheck(guard, self._gradient_arrived, passes)
        self.unheard = self._gradients.unheard
        self._queue = Queue(self._concluded)
        self.tracer = Tracer(recorder, self.past, passes)
        self.matching = Matching(recorder, self.past, self.tracer, cells)
        self._swaps = SwapTap(guard(quietly(self._let_go)))
        self.returned: Callable[..., None] = guard(quietly(self._returned))
        self.raised: Callable[..., None] = guard(quietly(self._raised))
        # A device may tell here of faults that are not ours.
        self._settle: Callable[..., None] = guard(quietly(self._queue.settle))
        self.faulted = guard.caught
        self.turn_to(mode)

    def turn_to(self, mode: Mode) -> None:
        """Says which calls are checked from now on."""
        self._count_pending()
        if mode != self._sampler.mode:
            self._budget.forgive()
        self._sampler.turn_to(mode)
        self._recorder.reason = self._sampler.reason

    def run(self) -> None:
        """Somebody calls `beat` from now on."""
        self.fast.is_counted = True
        self._sampler.look()

    def beat(self) -> None:
        """To be called some times a second while the user's code runs."""
        self._count_pending()
        self._settle(wait=False)
        self._sampler.look()
        self._beats += 1
        if self._beats % max(BEATS_OF_TRUST // max(len(self.fast.patterns), 1), 1) == 0:
            self.fast.look_at_oldest()

    def rest(self) -> None:
        """Nobody calls `beat` any more: the cell has ended."""
        self.fast.is_counted = False
        self.fast.look_at_next(True)
        self._count_pending()

    def forked(self) -> None:
        """In the child of a fork, where no thread beats and no device answers."""
        self._queue.forked()
        self.rest()

    def settle(self) -> None:
        """Waits for the verdicts that a device has on its way, and tells them."""
        self._settle(wait=True)

    def _count_pending(self) -> None:
        self._budget.count(self._recorder.newly_settled())

    def cell_begins(self) -> None:
        """The namespace may be another than before."""
        self._namer.forget()
        self._failures.forget()
        self._forms.forget()
        self._sampler.cell_begins()
        self._allowance.renew()
        self.past.stretch += 1

    def cell_ended(self, names: Mapping[str, Any]) -> Tensors:
        """The names have settled: the table of the tensors."""
        self._settle(wait=True)
        left_out = self.matching.look(names)
        self.past.cell_ended(names)
        return msgspec.structs.replace(self.tensors.after_cell(names), unmatched=left_out)

    def start(self) -> None:
        """Harmless when it is on already."""
        self._swaps.put_on()

    def stop(self) -> None:
        """Takes every hook off the user's graphs, and lets go of their tensors."""
        self._settle(wait=True)
        self._swaps.take_off()
        self._let_go()

    def _let_go(self) -> None:
        self._gradients.stop()
        self._queue.end("the watch was over before the device had answered")
        self.clear()

    def clear(self) -> None:
        self._forms.clear()
        self._allowance.renew()
        self.past.clear()
        self.matching.forget()

    def _returned(self, frame: FrameType, input: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> None:
        if _is_symbolic(input) or _is_symbolic(weight):
            return
        key = key_of(frame, input, weight, bias, output)
        done = Operation(input, weight, bias, output)
        form = self._kept(self._forms.find(key, frame, done))
        kin = self._kept(self._forms.kin(key, frame, done)) if form is None else None
        if form is not None and not self._sampler.checks_again(form.layer):
            self._forms.lets_pass(form, key, frame, done)
            self._count(form, input)
        elif kin is not None and not self._sampler.checks_first(kin.layer):
            self._count(kin, input)
        else:
            self._tell(frame, key, form, done)

    def _kept(self, form: Form | None) -> Form | None:
        """Null if the call that it is known by has fallen off: then none can be told as one like it."""
        return form if form is not None and self._recorder.keeps(form.told.id) else None

    def _count(self, form: Form, input: Tensor) -> None:
        """A call like one that was told whole is not told again."""
        self.fast.take(form.like(input.shape))
        if not self.fast.is_counted:
            self._count_pending()

    def _tell(self, frame: FrameType, key: Key | None, form: Form | None, done: Operation) -> None:
        """Tells a call whole, and checks it where calls are checked."""
        caller = None if form is not None else callsite.caller(frame)
        if caller is not None:
            place = None if key is None else place_of(key)
            # Where the weight is computed anew for each call, its layer is known by the place alone.
            is_new = isinstance(done.weight, nn.Parameter)
            known = None if is_new else self._kept(self._forms.at(place, caller, frame, done))
            if known is not None and not self._sampler.checks_more():
                self._count(known, done.input)
                return
            form = self._form(caller, place, done)
        assert form is not None
        found, values = self._checked(done, form.words)
        forward = found if isinstance(found, Verdict) else unchecked(TO_COME)
        told = msgspec.structs.replace(
            form.told, id=self._recorder.next_id(), forward=forward, values=values, time=time.time(), rank=rank()
        )
        if not isinstance(found, Verdict):
            self._queue.expect(told.id, "output")
        self._add(told)
        if not isinstance(found, Verdict):
            self._await(told.id, "output", found)
        self.past.hold(told.id, done.operands, form.text, copy=_is_checked(forward))
        if done.output.grad_fn is not None:
            self._watch_gradients(told, form.names, done)
        if _is_checked(forward):
            self._sampler.checked(form.layer)
        if key is not None:
            self._forms.add(key, form.of(told), frame, done.weight)

    def _add(self, call: Call) -> None:
        fell_off = self._recorder.add(call)
        if fell_off is not None:
            self._forms.fell_off(fell_off)

    def _form(self, caller: Caller, place: Hashable, done: Operation) -> Form:
        """All that is told of a call but for what it gave."""
        input, weight, bias, dtype = done.input, done.weight, done.bias, done.output.dtype
        names = self._namer.names(caller, input, weight, bias)
        text = expression(names, input, weight, bias, dtype)
        used = names.placeholders & {names.input_text, names.weight, names.bias if bias is not None else ""}
        blank = Call(
            id=0,
            name=names.call,
            expression=text,
            site=self._cells.site(caller.text),
            operands=operands_of(names, input, weight, bias, done.output),
            forward=unchecked(""),
            gradients=Gradients(),
            gradient_formulas=gradient_formulas(names, input, weight, bias, dtype),
            gradient_names=gradient_names(names, bias),
            error=None,
            values=Values(),
            time=0.0,
        )
        words = LinearNames(names.input_text, names.weight, names.bias, text, used)
        return Form(
            told=blank,
            names=names,
            words=words,
            leads=leading(names, caller.frame, done),
            text=caller.text.call,
            place=place,
            layer=self._forms.layer(weight),
            module=None if caller.module is None else weakref.ref(caller.module),
            code=caller.frame.f_code,
        )

    def _checked(self, done: Operation, names: LinearNames) -> tuple[Verdict | Pending | Silent, Values]:
        """A fault of ours costs the verdict, not the record. What is not checked may not be readable at all."""
        if reason := self._sampler.reason_for_none or reason_not_to_check(*done):
            return unchecked(reason), Values()
        try:
            used = twin(*done)
            if is_queued(done.output):
                return queue_output(used, done.output, names), Values()
            found, formula = check_output(used, done.output, names)
            is_identical = isinstance(found, Verdict) and found.kind == "identical"
            return found, self._values(used, done.output, None if is_identical else formula)
        except Exception as error:
            self._guard.caught(error)
            return unchecked("an internal error of Torchtwin"), Values()

    def _await(self, id: int, operand: str, to_come: Pending | Silent) -> None:
        self._queue.add(id, operand, to_come)
        if not self.fast.is_counted:  # nobody beats
            self._queue.conclude()

    def _concluded(self, id: int, operand: str, verdict: Verdict) -> None:
        """A verdict that was on its way; what was noted of the gradient meanwhile stays."""

        def change(call: Call) -> Call:
            if operand == "output":
                return msgspec.structs.replace(call, forward=verdict)
            before: Verdict | None = getattr(call.gradients, operand)
            notes = [it for it in (verdict.note, None if before is None else before.note) if it]
            noted = {operand: msgspec.structs.replace(verdict, note="; ".join(notes) or None)}
            return msgspec.structs.replace(call, gradients=msgspec.structs.replace(call.gradients, **noted))

        self._recorder.update(id, change)

    def _values(self, used: Twin, output: Tensor, formula: Tensor | None) -> Values:
        take = self._allowance.numbers
        return Values(
            input=take(used.input),
            weight=take(used.weight),
            bias=take(used.bias),
            output=take(output),
            twin_output=take(formula),
        )

    def _watch_gradients(self, call: Call, names: Names, done: Operation) -> None:
        reason = call.forward.reason
        if _is_checked(call.forward):
            reason = self._gradients.watch(watched(call.id, names, done.operands), done.input, done.output)
        if reason is None:
            return
        verdict = unchecked(reason)
        gradients = Gradients(verdict, None if done.bias is None else verdict, verdict)
        self._recorder.update(call.id, lambda call: msgspec.structs.replace(call, gradients=gradients))

    def _gradient_arrived(self, id: int, shares: list[Share], grad_output: GradOutput | None) -> None:
        self.past.hold_pass(id, grad_output, {s.operand: s.layer for s in shares if s.layer is not None})
        values = dict(self._share_values(shares, None if grad_output is None else grad_output.value))

        def change(call: Call) -> Call:
            verdicts = {share.operand: share.verdict for share in shares}
            return msgspec.structs.replace(
                call,
                gradients=msgspec.structs.replace(call.gradients, **verdicts),
                values=msgspec.structs.replace(call.values, **values),
            )

        for share in shares:
            if share.to_come is not None:
                self._queue.expect(id, share.operand)
        self._recorder.update(id, change)
        for share in shares:
            if share.to_come is None:
                self._queue.overtake(id, share.operand)
            else:
                self._await(id, share.operand, share.to_come)

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
        told = self._failures.told(frame, input, weight, bias, error)
        self._add(msgspec.structs.replace(told, id=self._recorder.next_id()))


class Operation(NamedTuple):
    """What a call multiplied, and what came of it. Made for one call and gone with it."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None
    output: Tensor

    @property
    def operands(self) -> dict[str, Tensor | None]:
        return self._asdict()


def _is_checked(forward: Verdict) -> bool:
    return forward.kind != "unchecked" or forward.reason == TO_COME


def _is_symbolic(tensor: Tensor) -> bool:
    """Whether a tracer follows the sizes: reading one as a number would fix it in the user's graph."""
    return not tensor.is_nested and any(type(size) is not int for size in tensor.shape)
