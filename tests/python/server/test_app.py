"""The extension starts with the server, opens nothing before, and ends with it; its settings arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.python.server.conftest import KERNEL, call, page

from torchtwin.kernel.flush import Flush
from torchtwin.kernel.pulse import Pulse
from torchtwin.server import TorchtwinApp


def threads() -> set[str]:
    """Of the server's part; a test of the kernel's may have left one of that."""
    names = {it.name for it in threading.enumerate() if it.name.startswith("torchtwin")}
    return names - {Pulse.name, Flush.name}


def extension(jp_serverapp: Any) -> TorchtwinApp:
    (app,) = jp_serverapp.extension_manager.extension_apps["torchtwin"]
    assert isinstance(app, TorchtwinApp)
    return app


def test_loaded_and_not_started_it_has_no_file_and_no_thread(jp_serverapp: Any) -> None:
    """As by `jupyter server extension list`."""
    assert not extension(jp_serverapp).writer.path.exists()
    assert threads() == set()


async def test_when_the_server_ends_its_threads_do(jp_serverapp: Any) -> None:
    await jp_serverapp.extension_manager.start_all_extensions()
    assert threads() >= {"torchtwin-writer", "torchtwin-intake"}
    await extension(jp_serverapp).stop_extension()
    await extension(jp_serverapp).stop_extension()
    assert threads() == set()


def test_records_outlive_the_server(
    app: Any, keep: Callable[..., None], jp_asyncio_loop: Any, jp_configurable_serverapp: Any, jp_server_config: Any
) -> None:
    keep(page(call(1)))
    jp_asyncio_loop.run_until_complete(app.stop_extension())
    again = jp_configurable_serverapp(config=jp_server_config)
    jp_asyncio_loop.run_until_complete(again.extension_manager.start_all_extensions())
    try:
        found = jp_asyncio_loop.run_until_complete(extension(again).archive.read(sessions_of))
    finally:
        jp_asyncio_loop.run_until_complete(extension(again).stop_extension())
    assert found == [KERNEL]


def sessions_of(db: Any) -> list[str]:
    return [kernel for (kernel,) in db.execute("SELECT kernel FROM session")]


class TestSettings:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        return {**jp_server_config, "TorchtwinApp": {"max_age_days": 2, "max_megabytes": 7}}

    def test_age_and_size_are_as_set_and_the_file_is_in_the_data_directory(
        self, jp_serverapp: Any, jp_data_dir: Path
    ) -> None:
        writer = extension(jp_serverapp).writer
        assert (writer._max_age, writer._max_bytes) == (2 * 24 * 3600, 7_000_000)
        assert writer.path == Path(jp_data_dir, "torchtwin", "records.sqlite")
