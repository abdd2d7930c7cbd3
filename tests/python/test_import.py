"""Importing the package is cheap: neither torch nor Jupyter comes with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import torchtwin

HEAVY = ["IPython", "jupyter_server", "torch"]
PROBE = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def packages_after_import(module: str, path: Path | None = None) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after `import module`."""
    paths = [str(Path(torchtwin.__file__).parents[1])] + ([str(path)] if path else [])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", PROBE, module]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(result.stdout))


@pytest.mark.parametrize("module", ["torchtwin", "torchtwin.protocol", "torchtwin.protocol.generate"])
def test_import_loads_neither_torch_nor_jupyter(module: str) -> None:
    loaded = packages_after_import(module)
    assert "torchtwin" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_server_side_does_not_load_torch() -> None:
    assert "torch" not in packages_after_import("torchtwin.server")


@pytest.mark.parametrize("heavy", HEAVY)
def test_the_probe_reports_a_module_that_does_import_them(heavy: str, tmp_path: Path) -> None:
    (tmp_path / "careless.py").write_text(f"import {heavy}\n")
    assert heavy in packages_after_import("careless", tmp_path)
