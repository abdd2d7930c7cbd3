"""All that is told of one paused frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torchtwin.kernel import source
from torchtwin.kernel.cells import Cells
from torchtwin.kernel.paused.place import Place
from torchtwin.kernel.torch_import import fully_imported
from torchtwin.protocol import Site
from torchtwin.protocol.paused import FrameTensor, PausedFrame, Product

if TYPE_CHECKING:
    from torchtwin.kernel.session import Session


def inspect(session: Session, place: Place) -> PausedFrame:
    """The frame of a place: its tensors, and what its line is about to compute. Works before torch is imported."""
    rows, left_out, found, unknown = list[FrameTensor](), 0, list[Product](), None
    has_torch = fully_imported("torch")
    if has_torch:
        from torchtwin.kernel.paused.tensors import tensors

        rows, left_out = tensors(place.spaces)
        found, unknown = _ahead(place, session.cells, session.guard.caught)
    return PausedFrame(
        site=_site(place, session.cells),
        function=place.frame.f_code.co_name,
        torch=has_torch,
        tensors=rows,
        left_out=left_out,
        products=found,
        unknown=unknown,
    )


def _ahead(place: Place, cells: Cells, caught: Callable[[Exception], None]) -> tuple[list[Product], str | None]:
    """A fault of ours there costs no more than what would be said of the line."""
    from torchtwin.kernel.naming import Namer
    from torchtwin.kernel.paused.ahead import ahead

    try:
        return ahead(place, Namer(lambda: cells.loop_variables), caught)
    except Exception as error:
        caught(error)
        return [], f"a fault of Torchtwin's own ({type(error).__name__})"


def _site(place: Place, cells: Cells) -> Site:
    code = place.frame.f_code
    lines = source.lines(source.text_of(code))
    is_told = place.state != "asked" and 0 < place.line <= len(lines)  # who asks knows that line
    line = lines[place.line - 1].strip() if is_told else None
    return cells.site_of(code.co_filename, place.line, line)
