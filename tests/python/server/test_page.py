"""The page of the server's own: for who is logged in alone, with nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from torchtwin.server import page


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for what `npm run build:page` makes."""
    files = tmp_path / "static"
    files.mkdir()
    (files / "page.js").write_text("'js'")
    (files / "page.css").write_text("a {}")
    (files / "secret.txt").write_text("secret")
    monkeypatch.setattr(page, "FILES", files)
    return files


async def test_it_names_its_files_below_the_base_url(app: Any, jp_fetch: Any, jp_base_url: str) -> None:
    answer = await jp_fetch("torchtwin/")
    text = answer.body.decode()
    assert f'data-base-url="{jp_base_url}"' in text
    for name, kind in (("page.js", "text/javascript"), ("page.css", "text/css")):
        assert f'"{jp_base_url}torchtwin/static/{name}"' in text
        file = await jp_fetch("torchtwin", "static", name)
        assert file.headers["Content-Type"].startswith(kind)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


async def test_the_address_without_a_slash_leads_to_it(app: Any, jp_fetch: Any, jp_base_url: str) -> None:
    with pytest.raises(HTTPClientError) as answer:
        await jp_fetch("torchtwin", follow_redirects=False)
    assert (answer.value.code, answer.value.response.headers["Location"]) == (302, f"{jp_base_url}torchtwin/")


@pytest.mark.parametrize("name", ["secret.txt", "..", "%2e%2e%2fpage.py", "page.js%00", "..%2f..%2f__init__.py", ""])
async def test_no_other_file_is_served(app: Any, jp_fetch: Any, name: str) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("torchtwin", "static", name)
    assert 400 <= refused.value.code < 500


@pytest.mark.parametrize("path", ["torchtwin", "torchtwin/", "torchtwin/static/page.js", "torchtwin/static/page.css"])
async def test_who_is_not_logged_in_gets_nothing_of_it(
    app: Any, http_server_client: Any, jp_base_url: str, path: str
) -> None:
    answer = await http_server_client.fetch(jp_base_url + path, raise_error=False, follow_redirects=False)
    assert answer.code in (302, 403)
    if answer.code == 302:
        assert "/login" in answer.headers["Location"]
    assert b"torchtwin" not in answer.body or answer.code == 302


async def test_where_it_was_not_built_it_says_how(app: Any, jp_fetch: Any, built: Path) -> None:
    (built / "page.js").unlink()
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("torchtwin/")
    assert refused.value.code == 503
    assert "npm run build:page" in refused.value.response.body.decode()
