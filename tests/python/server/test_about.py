from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.services.contents.manager import ContentsManager
from tornado.httpclient import HTTPClientError

from torchtwin.protocol import PROTOCOL

ROOT = Path(__file__).parents[3]


class ReadsNothingOfOurs(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "torchtwin"


async def about(jp_fetch):
    return json.loads((await jp_fetch("torchtwin", "api", "about")).body)


async def test_about_tells_the_installed_version_the_protocol_and_the_root(jp_fetch, jp_root_dir):
    roots = [str(jp_root_dir)]
    assert await about(jp_fetch) == {"version": version("torchtwin"), "protocol": PROTOCOL, "roots": roots}


async def test_a_root_behind_a_link_is_told_both_ways(jp_fetch, jp_serverapp, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    jp_serverapp.contents_manager.root_dir = str(tmp_path / "link")
    real = (tmp_path / "real").resolve()
    assert (await about(jp_fetch))["roots"] == [str(tmp_path / "link"), str(real)]


class NoFiles(ContentsManager):
    pass


async def test_contents_from_elsewhere_than_the_disk_have_no_root(jp_fetch, jp_serverapp, monkeypatch):
    monkeypatch.setitem(jp_serverapp.web_app.settings, "contents_manager", NoFiles(parent=jp_serverapp))
    assert (await about(jp_fetch))["roots"] == []


async def test_the_installed_version_is_that_of_the_front_end(jp_fetch):
    manifest = json.loads((ROOT / "package.json").read_text())
    assert (await about(jp_fetch))["version"] == manifest["version"]


async def test_an_upgrade_is_seen_without_a_server_restart(jp_fetch, monkeypatch):
    monkeypatch.setattr("torchtwin.server.about.version", lambda name: "9.9.9")
    assert (await about(jp_fetch))["version"] == "9.9.9"


async def test_about_without_a_token_is_forbidden(jp_serverapp, http_server_client, jp_base_url):
    with pytest.raises(HTTPClientError) as refused:
        await http_server_client.fetch(jp_base_url + "torchtwin/api/about", follow_redirects=False)
    assert refused.value.code == 403


async def test_about_with_a_wrong_token_is_forbidden(jp_fetch):
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("torchtwin", "api", "about", headers={"Authorization": "token wrong"})
    assert refused.value.code == 403


async def test_about_asks_the_authorizer(jp_fetch, jp_serverapp, monkeypatch):
    monkeypatch.setitem(jp_serverapp.web_app.settings, "authorizer", ReadsNothingOfOurs(parent=jp_serverapp))
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch("torchtwin", "api", "about")
    assert refused.value.code == 403


async def test_the_extension_is_enabled_by_its_name_alone(jp_serverapp):
    assert jp_serverapp.extension_manager.extensions["torchtwin"].enabled


def modules_loaded_by(code: str) -> set[str]:
    program = f"import sys; {code}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_server_part_does_not_import_torch():
    assert "torch" not in modules_loaded_by("import torchtwin.server")


def test_the_server_part_does_not_import_the_kernel_part():
    assert not {name for name in modules_loaded_by("import torchtwin.server") if name.startswith("torchtwin.kernel")}


def test_an_import_of_torch_would_be_noticed():
    assert "torch" in modules_loaded_by("import torchtwin.server, torch")
