"""The benchmark watches by the process's own session; what it recorded is gone after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import torchtwin


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    torchtwin.unwatch()
    torchtwin.clear()
    torchtwin.watch("auto").__exit__(None, None, None)
