"""The public look at a paused frame. It loads what it needs when it is called."""

from __future__ import annotations

import sys


def here() -> None:
    """Prints the tensors of the frame that a debugger has stopped, and what its line is about to compute.

        > breakpoint()                       # or a breakpoint of JupyterLab's, or `%debug` after an error
        (Pdb) torchtwin.here()

    Of each `nn.Linear`, `F.linear` and `@` in the line that has not run yet, it shows the formula in your names, with
    the shapes that go in and come out, or why it will raise, and what would fit. After an error (`%debug`,
    `pdb.pm()`) it shows the operands that clashed. Each tensor is listed with shape, dtype, device and the range of its
    elements; of a large one some of them are looked at, and it says so.

    At the prompt of `pdb`, and of IPython's debugger, the frame is the one that `up` and `down` have chosen; in the
    debug console of JupyterLab or VS Code, the one selected in the call stack; called by code, it is the frame of that
    code, and the next line is told. `%twin here` is the same in a cell. No watch is needed. Nothing of your code is
    run, and nothing is changed.
    """
    from torchtwin.kernel.paused.here import show

    show(sys._getframe(1))
