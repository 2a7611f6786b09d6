"""Where torch is not installed, as in an image made without it: what needs it says so, and all else trains."""

from __future__ import annotations

import subprocess
import sys

from tests.platform import PATIENCE_SECONDS

WITHOUT_TORCH = """
import os, sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name.partition(".")[0] == "torch" else find(name, *more)
from sagedock.training.run import run
sys.exit(run(os.environ))
"""
"""To this process torch is not installed: Python finds no file of it. (Libraries ask sys.modules themselves.)"""


def test_training_without_torch(make_job, algorithm) -> None:
    """Issues 6 and 7: no stack trace after the data were read, but the reason and the two ways out, at once."""
    job = make_job()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        env=job.variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if "torch" in algorithm.needs:
        assert done.returncode == 1
        assert f"{algorithm.name} trains with torch, not installed here" in job.failure.splitlines()[0]
        assert "--without-torch" in job.failure
        assert f"sagedock[{algorithm.extra}]" in job.failure
        assert ("served without" in job.failure) == (not algorithm.serving_needs)
    else:
        assert (done.returncode, job.failure) == (0, ""), done.stderr
