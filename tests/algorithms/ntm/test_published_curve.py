"""The validation loss of the built-in's public log, reached by its settings on the half of its data that is at hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("sklearn", reason="scikit-learn, which counts the words, is not installed")

from benchmarks.topic_curve import ARCHIVE


@pytest.mark.slow
def test_twenty_newsgroups_are_learnt_as_well_as_by_the_built_in() -> None:
    """ntm_lda N17, in as many updates as the log's 100 epochs have."""
    if not ARCHIVE.exists():  # its licence is not stated, so that the repository holds none of it
        pytest.skip(f"{ARCHIVE.name} is not in the shared data folder, and may not be shipped")
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.topic_curve"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"best ([\d.]+) after epoch \d+, TU ([\d.]+)", told)
    assert found is not None, told
    assert float(found[1]) <= 6.70
    assert float(found[2]) >= 0.65
