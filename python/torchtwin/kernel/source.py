"""Whether the text of a file still is the text of the code that runs."""

from __future__ import annotations

import importlib.util
import os
import time

_STARTED = time.time()


def was_edited(file: str) -> bool:
    """Whether a module's file has changed since its code was compiled, so that its lines tell of other code.

    Python keeps the file's time beside the compiled code (PEP 3147); where it keeps none, as for the main script, a
    file that is newer than this process was edited.
    """
    try:
        changed = os.stat(file).st_mtime
    except OSError:  # a cell, or code without a file
        return False
    compiled = _time_when_compiled(file)
    return changed > _STARTED if compiled is None else int(changed) & 0xFFFFFFFF != compiled


def _time_when_compiled(file: str) -> int | None:
    try:
        with open(importlib.util.cache_from_source(file), "rb") as cache:
            header = cache.read(12)
    except (OSError, NotImplementedError):
        return None
    by_hash = header[4:8] != bytes(4)
    return None if by_hash or len(header) < 12 else int.from_bytes(header[8:12], "little")
