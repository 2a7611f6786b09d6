"""Packages that an algorithm needs and that are not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.platform import Job


def test_what_is_not_installed_is_said_before_anything_is_read(tmp_path: Path) -> None:
    """Docs 0033: the package, and the ways to one that has it; no model directory is touched."""
    job = Job(tmp_path, {"sagedock_algorithm": "lacking"})
    done = subprocess.run([sys.executable, "-m", "tests.training.train"], env=job.variables, check=False)
    assert done.returncode == 1
    first = job.failure.splitlines()[0]
    assert first.startswith("PlatformError: lacking trains with package_that_there_is_not, not installed here")
    assert "install sagedock[extra_that_there_is_not]" in first
    assert not job.model.exists()
