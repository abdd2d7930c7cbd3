"""One kernel's recorder, from start to restart: what the public functions and the IPython extension stand on."""

from __future__ import annotations

import math
import os
import sys
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from torchtwin.kernel.budget import Budget
from torchtwin.kernel.cells import Cell, Cells
from torchtwin.kernel.first_call import FirstCall
from torchtwin.kernel.guard import Guard
from torchtwin.kernel.pulse import Pulse
from torchtwin.kernel.recorder import Recorder
from torchtwin.kernel.threads import PATIENCE, Worker
from torchtwin.kernel.torch_import import WhenTorchIsImported, fully_imported
from torchtwin.protocol import Call, ElementRequest, Mode, Page, Reply, State
from torchtwin.protocol.requests import Refused
from torchtwin.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

    from torchtwin.kernel.comparing.looks import Found
    from torchtwin.kernel.comparing.origin import Tracer
    from torchtwin.kernel.observe import Recording
    from torchtwin.kernel.tap import Tap
    from torchtwin.kernel.unseen import Lookout


IDLE_BEATS = 20
"""After so many without a call the pulse rests, where no cell runs."""


class Choices(msgspec.Struct, frozen=True):
    """How often the user has switched the watch on and chosen a mode: by a magic, a function or in the panel."""

    watch: int = 0
    mode: int = 0


class Lent(msgspec.Struct, frozen=True):
    """What the watch was when it was lent."""

    watching: bool
    mode: Mode
    choices: Choices


class Session:
    """The watch and its records. Works before torch is imported; everything that needs torch comes with it."""

    def __init__(self) -> None:
        self.guard = Guard()
        self.recorder = Recorder(os.urandom(8).hex())
        self.watching = False
        self.choices = Choices()
        self._lock = threading.RLock()
        self._when_torch = WhenTorchIsImported(self.guard(self._torch_is_here))
        self.cells = Cells()
        self.mode: Mode = "auto"
        self._budget = Budget()
        self._pulse = Pulse(self.guard(self._beat))
        self.threads: list[Worker] = [self._pulse]
        """Those of ours."""
        self._runs = self._is_woken = False
        """Whether the pulse beats, and whether it does for calls where no cell runs."""
        self._idle = self._recorded = 0
        """Beats without a call, and calls recorded by the last of them."""
        self._recording: Recording | None = None
        self._tap: Tap | None = None
        self._lookout: Lookout | None = None

    def watch(self, mode: Mode | None = None, budget: float | None = None) -> None:
        """Records calls from now on. Harmless when it does already. Null leaves the mode or the budget as it is."""
        self.choices = msgspec.structs.replace(self.choices, watch=self.choices.watch + 1)
        self.set_mode(mode, budget)
        self._watch()

    def lend(self, mode: Mode | None = None) -> Lent:
        """Watches for something that ends by `take_back`, as a cell, in a mode of its own."""
        lent = Lent(self.watching, self.mode, self.choices)
        self._set_mode(mode)
        self._watch()
        return lent

    def take_back(self, lent: Lent) -> None:
        """All is as it was, but for what the user has chosen meanwhile."""
        if self.choices.watch == lent.choices.watch and not lent.watching:
            self._unwatch()
        if self.choices.mode == lent.choices.mode:
            self._set_mode(lent.mode)

    def _watch(self) -> None:
        with self._lock:
            self.watching = True
            self._when_torch.start()
            if self.cells.is_running or not self.cells.began:
                self._run()
        self.say_state()

    def set_mode(self, mode: Mode | None, budget: float | None = None) -> None:
        """Says which calls are checked, whether the watch is on or not."""
        if mode is not None:
            self.choices = msgspec.structs.replace(self.choices, mode=self.choices.mode + 1)
        self._set_mode(mode, budget)

    def _set_mode(self, mode: Mode | None, budget: float | None = None) -> None:
        with self._lock:
            self.mode = mode or self.mode
            self._budget.share = budget or self._budget.share
            if self._recording is not None:
                self._recording.turn_to(self.mode)
        self.say_state()

    @property
    def budget(self) -> float:
        """Share of the running time that mode `auto` may take."""
        return self._budget.share

    def unwatch(self) -> None:
        """Records no more; leaves neither patch nor hook behind. What was recorded stays."""
        self._unwatch()

    def _unwatch(self) -> None:
        with self._lock:
            self.watching = False
            self._when_torch.stop()
            self._rest()
            if self._tap is not None:
                self._tap.take_off()
            if self._recording is not None:
                self._recording.stop()
            if self._lookout is not None:
                self._lookout.stop()
        self.say_state()

    def clear(self) -> None:
        """Drops all records."""
        self.recorder.clear()
        if self._recording is not None:
            self._recording.clear()
        if self._lookout is not None:
            self._lookout.clear()
        self.say_state()

    def calls(self) -> list[Call]:
        """Those that are told whole."""
        self._settle()
        return self.recorder.calls()

    def latest(self, count: int) -> list[Call]:
        """The newest calls, oldest first; those that were only counted, too."""
        self._settle()
        return self.recorder.latest(count)

    def state(self) -> State:
        calls, dropped = self.recorder.counts
        return State(
            watching=self.watching,
            torch=_torch_version(),
            torchtwin=__version__,
            calls=calls,
            dropped=dropped,
            internal_errors=self.guard.report(),
            mode=self.mode,
            budget=self._budget.share,
            cost=self._budget.cost() if calls else None,
            unseen=[] if self._lookout is None else self._lookout.entries,
        )

    def say_state(self) -> None:
        """Tells the hosts, if anything about the watch has changed."""
        self.guard(self.recorder.say)(self.state())

    def page(self, after: int, limit: int) -> Page:
        """What happened since `after`, with the state as it is now."""
        self.say_state()
        return self.recorder.page(after, limit)

    def cell_begins(self, cell: Cell) -> None:
        """A cell is about to run."""
        is_inner = self.cells.is_running
        self.cells.begins(cell)
        if not is_inner:
            self._budget.begins()
        self.guard(self._be_recording)()
        if self._recording is not None:
            self._recording.cell_begins()
        if self.watching:
            self._run()

    def cell_ended(self) -> None:
        """The names in the notebook have settled."""
        self.cells.ended()
        if not self.cells.is_running:
            self._rest()
        self.guard(self._be_recording)()  # torch may have come with this cell
        if self._recording is not None and self.watching:
            from torchtwin.kernel.scopes import notebook

            self.recorder.say(self._recording.cell_ended(notebook()))
        self.look_for_unseen()
        self.say_state()

    def look_for_unseen(self) -> None:
        """What runs where the tap can't see it; `state` tells it as of the last look."""
        if self._lookout is not None:
            from torchtwin.kernel.scopes import notebook

            self.guard(self._lookout.look)(notebook(), self.watching)

    def match(self, patient: bool = False) -> set[str]:
        """Looks now, before the cell has ended, which variables are outputs or gradients of calls.

        Returns the names that were bound or changed since the last look. `patient`: however long it takes.
        """
        if self._recording is None or not self.watching:
            return set()
        from torchtwin.kernel.scopes import notebook

        self._recording.matching.look(notebook(), **({"seconds": math.inf} if patient else {}))
        return self._recording.matching.changed

    def look_at(self, words: str, value: object) -> Found | None:
        """Which recorded call's output or gradient one value is, or nearly is, by its numbers."""
        return None if self._recording is None else self._recording.matching.look_at(words, value)

    def element(self, request: ElementRequest) -> Reply:
        """How one element of a recorded call came about."""
        call = self.recorder.call(request.call)
        if call is None or self._recording is None:
            return Refused("unknown", f"call {request.call} is not among the recorded ones any more")
        from torchtwin.kernel.elements import element

        operands = call.operands
        named = {"input": operands.input, "weight": operands.weight, "bias": operands.bias}
        return element(self._recording.past, request, {role: o.name for role, o in named.items() if o is not None})

    def tracer(self) -> Tracer | None:
        """Traces tensors to recorded calls; null before the first watch."""
        self._be_recording()
        return None if self._recording is None else self._recording.tracer

    def answered(self) -> None:
        """A question; outside a notebook, what is computed from now on has nothing to do with what was before."""
        if self._recording is not None and not self.cells.is_running:
            self._recording.past.stretch += 1

    def unheard(self) -> AbstractContextManager[None]:
        """Meanwhile no backward through recorded calls is recorded."""
        self._be_recording()  # else a first call elsewhere could open the way for those that are compared
        return nullcontext() if self._recording is None else self._recording.unheard()

    def contributions(self, parameter: Tensor) -> list[int]:
        """The ids of the recorded calls whose shares `.grad` holds, once a pass; none where that is not known."""
        return [] if self._recording is None else self._recording.contributions(parameter)

    def before_fork(self) -> None:
        """Python warns who forks while there are threads, and a child would wait for their locks for ever."""
        self._lock.acquire(timeout=PATIENCE)
        for it in self.threads:
            self.guard(it.pause)()

    def after_fork(self) -> None:
        """In the parent. Python 3.13 looks for threads after this, so the pulse waits for the next call."""
        for it in self.threads:
            if it is not self._pulse:
                self.guard(it.resume)()
        if self._runs:
            self.guard(self._pulse_waits)()
        with suppress(RuntimeError):  # it could not be had
            self._lock.release()

    def _pulse_waits(self) -> None:
        self._runs = False
        if self._recording is not None:
            self._recording.rest()
            self._recording.fast.wake_at_next()

    def forked(self) -> None:
        """In the child of a fork, a data loader's worker say: goes on recording, for the child alone."""
        self._lock = threading.RLock()
        self.guard.forked()
        self.recorder.forked()
        for it in self.threads:
            it.forked()
        self._runs = self._is_woken = False
        if self._recording is not None:
            self._recording.forked()
        if self._lookout is not None:
            self._lookout.forked()

    def charged(self) -> AbstractContextManager[None]:
        """What a thread of ours does meanwhile is charged to the budget."""
        return self._budget.thread()

    def _beat(self) -> None:
        with self._budget.thread():
            if self._recording is not None:
                self._recording.beat()
            self.say_state()
        if self._is_woken:
            self._rest_where_nobody_calls()

    def _run(self) -> None:
        with self._lock:
            self._budget.goes_on()
            self._runs, self._is_woken = self._pulse.start(), False
            if self._runs and self._recording is not None:
                self._recording.run()

    def _wake(self) -> None:
        """Somebody calls: the budget and the pulse go on, where no cell runs as long as they do."""
        with self._lock:
            if self.watching and not self._runs:
                self._run()
                self._is_woken, self._idle = self.cells.began and not self.cells.is_running, 0

    def _rest_where_nobody_calls(self) -> None:
        recorded = self.recorder.counts[0]
        self._idle = self._idle + 1 if recorded == self._recorded else 0
        self._recorded = recorded
        # Who holds the lock may be about to fork, and waits for this very thread.
        if self._idle >= IDLE_BEATS and self._lock.acquire(blocking=False):
            try:
                if self._is_woken:
                    self._rest()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        if self._recording is not None:
            self._recording.settle()

    def _rest(self) -> None:
        self._runs = self._is_woken = False
        self._budget.stops()
        self._pulse.stop()
        if self._recording is not None:
            self._recording.rest()

    def _torch_is_here(self) -> None:
        from torchtwin.kernel.fastpath import FastPath
        from torchtwin.kernel.tap import Tap
        from torchtwin.kernel.unseen import Lookout

        with self._lock:
            first_call = FirstCall(self._begin_recording, self.guard.caught)
            self._tap = self._tap or Tap(first_call, FastPath(self.recorder.pending))
            self._lookout = self._lookout or Lookout(self.guard.caught)
            if self._recording is not None:
                self._recording.start()
            self._tap.put_on()
            if self.watching and (self.cells.is_running or not self.cells.began):
                self._run()
            self._lookout.start()
        self.say_state()

    def _be_recording(self) -> None:
        if self._tap is not None and self.watching:
            self._begin_recording()

    def _begin_recording(self) -> Recording:
        """Needs torch and the tap. Harmless when it has begun already."""
        with self._lock:
            if self._recording is not None:
                return self._recording
            assert self._tap is not None
            began = perf_counter()
            from torchtwin.kernel.quiet import quietly

            # A mode of the user's may be on, and see what is computed where our modules are loaded.
            recording = quietly(self._made_recording)()
            self._budget.charge_once(perf_counter() - began)
            if self.watching:
                recording.start()
            recording.fast.wake = self.guard(self._wake)
            if self._runs:
                recording.run()
            self._tap.report_to(recording, recording.fast)
            self._recording = recording
            return recording

    def _made_recording(self) -> Recording:
        from torchtwin.kernel.observe import Recording

        return Recording(self.recorder, self.guard, self.cells, self._budget, self.mode)


def _torch_version() -> str | None:
    return str(sys.modules["torch"].__version__) if fully_imported("torch") else None


session = Session()
"""The session of this process."""
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=session.before_fork, after_in_parent=session.after_fork, after_in_child=session.forked)
