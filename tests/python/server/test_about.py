from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from torchtwin.protocol import PROTOCOL

ROOT = Path(__file__).parents[3]


class ReadsNothingOfOurs(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "torchtwin"


async def test_about_tells_the_installed_version_and_the_protocol(jp_fetch):
    response = await jp_fetch("torchtwin", "api", "about")
    assert json.loads(response.body) == {"version": version("torchtwin"), "protocol": PROTOCOL}


async def test_the_installed_version_is_that_of_the_front_end(jp_fetch):
    response = await jp_fetch("torchtwin", "api", "about")
    manifest = json.loads((ROOT / "package.json").read_text())
    assert json.loads(response.body)["version"] == manifest["version"]


async def test_an_upgrade_is_seen_without_a_server_restart(jp_fetch, monkeypatch):
    monkeypatch.setattr("torchtwin.server.about.version", lambda name: "9.9.9")
    response = await jp_fetch("torchtwin", "api", "about")
    assert json.loads(response.body)["version"] == "9.9.9"


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
