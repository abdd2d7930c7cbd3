"""Runs a script or a module as Python itself would, with its own `__main__`, arguments and path."""

from __future__ import annotations

import io
import os
import runpy
import sys
from dataclasses import dataclass
from types import ModuleType, TracebackType


@dataclass(frozen=True)
class Program:
    """What `python` would be given."""

    name: str
    """A script, a folder or archive with a `__main__.py`, or a module."""
    arguments: list[str]
    is_module: bool = False

    def missing(self) -> str | None:
        """What is wrong with the name; null where it can be started."""
        if self.is_module or os.path.exists(self.name):
            return None
        return f"there is no file {self.name!r}"

    def run(self) -> int:
        """Returns the status that Python would exit with, the traceback printed as it would be."""
        sys.argv[:] = [self.name, *self.arguments]
        try:
            self._start()
        except SystemExit as leaving:
            return _status(leaving.code)
        except BaseException as error:
            error.__traceback__ = _without_ours(error.__traceback__)
            sys.excepthook(type(error), error, error.__traceback__)
            return 130 if isinstance(error, KeyboardInterrupt) else 1
        return 0

    def _start(self) -> None:
        if self.is_module:
            sys.path[0] = os.getcwd()
            runpy.run_module(self.name, run_name="__main__", alter_sys=True)
        elif os.path.isdir(self.name) or self.name.endswith((".zip", ".pyz")):
            runpy.run_path(self.name, run_name="__main__")
        else:
            sys.path[0] = os.path.dirname(os.path.abspath(self.name))
            self._run_script()

    def _run_script(self) -> None:
        path = os.path.abspath(self.name)
        with io.open_code(path) as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        main = ModuleType("__main__")
        main.__dict__.update(__file__=path, __builtins__=__builtins__, __cached__=None, __annotations__={})
        # It stays: what is pickled, or runs at exit, looks its classes up there.
        sys.modules["__main__"] = main
        exec(code, main.__dict__)


def _status(code: object) -> int:
    """What Python makes of the argument of `sys.exit`."""
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """From the program's first line on; where it has none, as with a syntax error in it, nothing."""
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, runpy.__file__, "<frozen runpy>"):
        trace = trace.tb_next
    return trace
