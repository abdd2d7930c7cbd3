"""Text in columns: what a terminal shows of a string, and how to make it fit."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

DOTS = "..."
MAX_TEXT = 400
"""Characters of one name, message or line of source; nobody reads more in a report."""


def clean(text: str) -> str:
    """One bounded line that cannot steer a terminal: escape sequences and direction marks are spelled out."""
    line = " ".join(text[: 2 * MAX_TEXT].split())
    spelled = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
    return spelled if len(spelled) <= MAX_TEXT else spelled[:MAX_TEXT] + DOTS


def width(text: str) -> int:
    """How many columns a terminal gives the text; wide East Asian characters take two."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def head(text: str, room: int) -> str:
    """The longest beginning that fits."""
    used = 0
    for position, char in enumerate(text):
        used += _columns(char)
        if used > room:
            return text[:position]
    return text


def elide(text: str, room: int) -> str:
    """The text, or its beginning and its end: `encoder...weight.T`."""
    if width(text) <= room:
        return text
    left = (room - len(DOTS)) // 3
    return head(text, left) + DOTS + _tail(text, room - len(DOTS) - left)


def shorten_path(text: str, room: int) -> str:
    """The text, or its end: `...models/encoder.py, line 12`."""
    return text if width(text) <= room else DOTS + _tail(text, room - len(DOTS))


def _tail(text: str, room: int) -> str:
    return head(text[::-1], room)[::-1]


def center(text: str, room: int) -> str:
    left = (room - width(text)) // 2
    return " " * left + text + " " * (room - width(text) - left)


def beside(left: str, right: str, room: int) -> Iterator[str]:
    """One line, `right` at its end; two lines where one is too short."""
    gap = room - width(left) - width(right)
    if gap >= 2:
        yield (left + " " * gap + right).rstrip()
    else:
        yield left
        yield f"  {right}"


def hang(start: str, text: str, room: int) -> Iterator[str]:
    """`start` and the text, wrapped, later lines under where the text begins."""
    indent = " " * width(start)
    for line in wrap(text, room - width(start)):
        yield (start + line).rstrip()
        start = indent


def wrap(text: str, room: int) -> Iterator[str]:
    """Lines of at most `room` columns; a word longer than that is cut."""
    line = ""
    for word in _pieces(text, room):
        if line and width(line) + 1 + width(word) > room:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _pieces(text: str, room: int) -> Iterator[str]:
    for word in text.split():
        while width(word) > room:
            piece = head(word, room) or word[0]
            yield piece
            word = word[len(piece) :]
        if word:
            yield word
