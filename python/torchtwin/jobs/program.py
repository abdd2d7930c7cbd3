"""Runs a script or a module as Python itself would, with its own `__main__`, arguments and path."""

from __future__ import annotations

import builtins
import io
import os
import pkgutil
import runpy
import sys
from dataclasses import dataclass
from importlib.machinery import BuiltinImporter, SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType

from torchtwin.jobs.uncaught import end_with


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

    def run(self) -> None:
        """Raises what ends Python as the program itself would, told already but for what `sys.exit` was given."""
        uncaught: BaseException | None = None
        try:
            self._start()
        except SystemExit:
            raise
        except BaseException as error:
            uncaught = error
        # Not above: to a hook of the program's no exception is being handled.
        if uncaught is not None:
            end_with(uncaught, __file__)

    def _start(self) -> None:
        # It stays: what is pickled, or runs at exit, looks its classes up there.
        main = sys.modules["__main__"] = _new_main()
        sys.argv[:] = ["-m" if self.is_module else self.name, *self.arguments]
        if self.is_module:
            _run_as_python_does(self.name)
            return
        path = os.path.abspath(self.name)
        if pkgutil.get_importer(path) is not None:
            _put_first(path)
            _run_as_python_does("__main__", alter_argv=False)
            return
        if not sys.flags.safe_path:
            sys.path[0] = os.path.dirname(os.path.realpath(path))
        _run_script(path, main)


def _new_main() -> ModuleType:
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __loader__=BuiltinImporter)
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    return main


def _run_as_python_does(module: str, alter_argv: bool = True) -> None:
    """By the very function that `python -m`, and `python` with a folder, call."""
    runpy._run_module_as_main(module, alter_argv)  # type: ignore[attr-defined]


def _put_first(path: str) -> None:
    """In place of the folder that `python -m torchtwin` has put there, unless it was told not to."""
    sys.path[: 0 if sys.flags.safe_path else 1] = [path]


def _run_script(path: str, main: ModuleType) -> None:
    code, loader = _code(path)
    main.__dict__.update(__file__=path, __cached__=None, __loader__=loader("__main__", path))
    try:
        exec(code, main.__dict__)
    finally:
        for name in ("__file__", "__cached__"):  # to what runs at exit Python does not tell them either
            main.__dict__.pop(name, None)


def _code(path: str) -> tuple[CodeType, type[SourceFileLoader] | type[SourcelessFileLoader]]:
    with io.open_code(path) as file:
        code = pkgutil.read_code(file)
    if code is not None:
        return code, SourcelessFileLoader
    with io.open_code(path) as file:
        return compile(file.read(), path, "exec", dont_inherit=True), SourceFileLoader
