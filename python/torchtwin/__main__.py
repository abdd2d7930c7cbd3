"""`python -m torchtwin run train.py` and `python -m torchtwin check notebook.ipynb`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from torchtwin.version import __version__
from torchtwin.watching import MODES

CANNOT = 2
"""The status where nothing was run, as argparse's own for wrong arguments."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    done: int = asked.do(asked)
    return done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m torchtwin", description="Watches nn.Linear without a notebook.")
    parser.add_argument("--version", action="version", version=f"torchtwin {__version__}")
    commands = parser.add_subparsers(required=True, metavar="run | check")
    run = commands.add_parser("run", help="run a script under watch, and write what was recorded to a file")
    run.set_defaults(do=_run)
    run.add_argument("--mode", choices=MODES, default="auto", help="which calls are checked (default: auto)")
    run.add_argument("--budget", type=_share, metavar="SHARE", help="of the running time in mode auto (default: 0.03)")
    run.add_argument("--records", type=Path, metavar="FOLDER", help="where the file goes (default: .torchtwin)")
    run.add_argument("-m", dest="is_module", action="store_true", help="the program is a module, as in python -m")
    # As one, since argparse takes a `--` away between two.
    run.add_argument("program", nargs=argparse.PARSER, help="a script, or a module after -m, and its arguments")
    check = commands.add_parser("check", help="execute notebooks under watch, and fail if a call fails or differs")
    check.set_defaults(do=_check)
    check.add_argument("notebooks", nargs="+", type=Path, metavar="notebook.ipynb")
    check.add_argument("--mode", choices=("auto", "every"), default="every", help="(default: every)")
    check.add_argument("--timeout", type=float, metavar="SECONDS", help="for each cell (default: none)")
    check.add_argument("--kernel", metavar="NAME", help="instead of the one that a notebook names")
    check.add_argument("--json", action="store_true", help="print what was found as JSON")
    return parser


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share above 0 and at most 1: 0.03 is 3 %")
    return share


def _run(asked: argparse.Namespace) -> int:
    from torchtwin.jobs.program import Program
    from torchtwin.jobs.record_file import FOLDER
    from torchtwin.jobs.run import run
    from torchtwin.kernel.session import session

    name, *arguments = asked.program[asked.program[0] == "--" :]
    program = Program(name, arguments, asked.is_module)
    if (missing := program.missing()) is not None:
        print(f"torchtwin: {missing}", file=sys.stderr)
        return CANNOT
    run(program, asked.records or Path(FOLDER), asked.mode, asked.budget, session)
    return 0


def _check(asked: argparse.Namespace) -> int:
    try:
        from torchtwin.checking.check import check
    except ModuleNotFoundError as error:
        print(
            f"torchtwin: `check` needs nbclient and tqdm, and {error.name} is missing: `pip install nbclient tqdm`",
            file=sys.stderr,
        )
        return CANNOT
    return check(asked.notebooks, asked.mode, asked.timeout, asked.kernel, asked.json)


if __name__ == "__main__":
    sys.exit(main())
