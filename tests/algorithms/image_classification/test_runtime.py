"""ONNX Runtime tells nobody anything: each case in a new process, since it decides that once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("onnxruntime") is None:
    pytest.skip("ONNX Runtime is not installed", allow_module_level=True)

SOURCE = Path(__file__).parents[3] / "src" / "sagedock"
OURS = """
from sagedock.algorithms.image_classification import runtime
print(runtime.onnxruntime().get_available_providers())
"""


def _left_at_home(code: str, home: Path) -> list[str]:
    """The files that a new process leaves in its home directory; it is not told that this may be a test (CI)."""
    home.mkdir()
    command = [sys.executable, "-c", code]
    subprocess.run(command, env={"PATH": os.environ["PATH"], "HOME": str(home)}, check=True, capture_output=True)
    return sorted(file.name for file in home.rglob("*"))


def test_nothing_is_kept_of_the_machine(tmp_path: Path) -> None:
    """Docs 0046: a plain import writes an identifier and a store of events to be sent; ours writes nothing."""
    assert "deviceid" in _left_at_home("import onnxruntime", tmp_path / "plain")
    assert _left_at_home(OURS, tmp_path / "ours") == []


def test_nobody_else_imports_it() -> None:
    imports = re.compile(r"^\s*(?:import|from) onnxruntime", re.MULTILINE)
    assert [file.name for file in SOURCE.rglob("*.py") if imports.search(file.read_text())] == []
