"""The wheel, installed where there is no Node: its front end and its server part are there without a further step.

The new environment borrows the packages of the one that runs the tests, so nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel() -> Path:
    [built] = (ROOT / "dist").glob("torchtwin-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    site_packages = next((folder / "lib").glob("python*/site-packages"))
    # Only this folder, not what the links in it lead to: the installation for development stays out of sight.
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    done = run(folder, "-m", "pip", "install", "--no-deps", "--no-index", str(wheel))
    assert "Successfully installed torchtwin" in done, done
    return folder


def run(environment: Path, *arguments: str) -> str:
    """What Python says in that environment, with no Node in reach."""
    scratch = {f"JUPYTER_{kind}_DIR": str(environment / "user" / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    variables = {**os.environ, **scratch, "PATH": str(environment / "bin"), "PYTHONPATH": ""}
    python = [str(environment / "bin/python"), *arguments]
    done = subprocess.run(python, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def lines_about_torchtwin(text: str) -> list[str]:
    return [line for line in text.splitlines() if "torchtwin" in line]


def test_jupyterlab_finds_the_front_end(environment: Path) -> None:
    version = json.loads((ROOT / "package.json").read_text())["version"]
    listed = run(environment, "-c", "from jupyterlab.labextensions import main; main()", "list")
    [line] = lines_about_torchtwin(listed)
    assert f"v{version}" in line
    assert "enabled" in line
    assert "OK" in line
    assert str(environment) in listed


def test_the_server_part_is_enabled(environment: Path) -> None:
    listed = run(environment, "-c", "from jupyter_server.extension.serverextension import main; main()", "list")
    lines = lines_about_torchtwin(listed)
    assert any("enabled" in line for line in lines), lines
    assert any("OK" in line for line in lines), lines


def test_the_package_is_the_installed_one(environment: Path) -> None:
    assert str(environment) in run(environment, "-c", "import torchtwin; print(torchtwin.__file__)")


def test_it_needs_neither_torch_nor_jupyter(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(metadata).decode().splitlines()
    required = [line for line in lines if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert required == ["Requires-Dist: msgspec>=0.19"]


def test_it_holds_one_front_end_with_one_entry(wheel: Path) -> None:
    """A leftover of an earlier build would be a second `remoteEntry`."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len([name for name in names if "/remoteEntry." in name]) == 1
    assert not [name for name in names if name.startswith("torchtwin/labextension")]


def test_it_holds_the_page_of_the_servers_own(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("torchtwin/server/static/")]
    assert sorted(names) == ["torchtwin/server/static/page.css", "torchtwin/server/static/page.js"]


def test_it_holds_the_description_of_the_servers_routes(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert "torchtwin/server/openapi.json" in archive.namelist()


def test_this_python_is_not_that_of_the_wheel(environment: Path) -> None:
    """What is borrowed must not make the other tests pass."""
    assert not Path(sys.executable).is_relative_to(environment)
