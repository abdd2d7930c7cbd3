"""The texts of the cells, as they are compiled."""

from __future__ import annotations

from collections import OrderedDict

MAX_TEXTS = 2000
_texts: OrderedDict[str, str] = OrderedDict()


def file_text(file: str, text: str) -> None:
    """Keeps the text of a cell: `linecache` has its lines split where Python sees no end of one, as at U+2028."""
    _texts[file] = text
    _texts.move_to_end(file)
    if len(_texts) > MAX_TEXTS:
        _texts.popitem(last=False)


def text_of(file: str) -> str | None:
    """The text that was filed under that name."""
    return _texts.get(file)
