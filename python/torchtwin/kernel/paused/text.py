"""A paused frame as text, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from torchtwin.kernel.report_columns import beside, clean, elide, hang, shorten_path, width
from torchtwin.kernel.report_model import count_of, place
from torchtwin.kernel.report_terms import shape_list
from torchtwin.kernel.report_text import COLUMNS, failure, formula
from torchtwin.protocol import Number
from torchtwin.protocol.paused import FrameTensor, PausedFrame, Product, Statistics

NO_TORCH = "torch is not imported yet: there are no tensors"
MAX_SHOWN = 40
"""Tensors; a host shows more."""
_WHEN = {"ahead": "", "running": "running", "raised": "! raised"}


def text(frame: PausedFrame) -> str:
    """The place, what its line is about to compute, and the tensors."""
    return "\n\n".join("\n".join(block) for block in _blocks(frame))


def _blocks(frame: PausedFrame) -> Iterator[list[str]]:
    yield list(_head(frame))
    if not frame.torch:
        yield [NO_TORCH]
        return
    for product in frame.products:
        yield list(_product(product))
    if frame.unknown is not None:
        yield [f"what this line will compute is not told: {clean(frame.unknown)}"]
    yield list(_tensors(frame))


def _head(frame: PausedFrame) -> Iterator[str]:
    where = shorten_path(clean(place(frame.site)) or "an unknown place", 60)
    within = "" if frame.function.startswith("<") else f", in {elide(clean(frame.function), 30)}"
    yield f"at {where}{within}"
    if frame.site.source:
        yield f"  {elide(clean(frame.site.source), COLUMNS - 2)}"


def _product(product: Product) -> Iterator[str]:
    when = "! will raise" if product.state == "ahead" and product.error is not None else _WHEN[product.state]
    words = elide(clean(product.words), 56)
    of = "" if product.name in product.words else f", {elide(clean(product.name), 20)}"
    yield from beside(f"{words}{of}", when or "comes next", COLUMNS)
    if product.expression:
        yield from formula(product)
    if product.error is not None:
        yield from failure(product.error)
    if product.unknown is not None:
        yield from hang("  ", f"nothing is known before it runs: {clean(product.unknown)}", COLUMNS)


def _tensors(frame: PausedFrame) -> Iterator[str]:
    if not frame.tensors:
        yield "no tensors have a name here"
        return
    shown = frame.tensors[:MAX_SHOWN]
    names = max(width(_name(it)) for it in shown)
    shapes = max(len(_shape(it)) for it in shown)
    for scope in ("local", "global"):
        rows = [it for it in shown if it.scope == scope]
        if rows:
            yield f"{scope} tensors"
        for row in rows:
            yield from _row(row, names, shapes)
    more = len(frame.tensors) - len(shown) + frame.left_out
    if more:
        yield f"  and {count_of(more, 'tensor')} more"


def _row(row: FrameTensor, names: int, shapes: int) -> Iterator[str]:
    name = _name(row)
    left = f"  {name}{' ' * (names - width(name))}  {_shape(row):{shapes}}  {_kind(row)}"
    yield from beside(left, _read(row.statistics, row.unread), COLUMNS)


def _name(row: FrameTensor) -> str:
    return elide(clean(row.name), 24)


def _shape(row: FrameTensor) -> str:
    return elide(shape_list(row.shape), 20)


def _kind(row: FrameTensor) -> str:
    device = "" if row.device == "cpu" else f" {row.device}"
    grad = " has grad" if row.has_grad else " requires grad" if row.requires_grad else ""
    return f"{row.dtype}{device}{grad}"


def _read(read: Statistics | None, unread: str | None) -> str:
    """`-1 to 2, mean 0.5, 3 NaN`."""
    if read is None:
        return clean(unread or "")
    if not read.elements:
        return "empty"
    return ", ".join(_figures(read))


def _figures(read: Statistics) -> Iterator[str]:
    if read.min is not None and read.max is not None and read.mean is not None:
        yield f"{number(read.min)} to {number(read.max)}, mean {number(read.mean)}"
    if read.nans:
        yield f"{read.nans:,} NaN"
    if read.infs:
        yield f"{read.infs:,} inf"
    if read.looked_at < read.elements:
        yield f"of {read.looked_at:,} elements"
    if read.min is None and not read.nans and not read.infs:
        yield "no NaN, no inf"


def number(value: Number) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
