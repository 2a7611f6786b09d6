"""Jobs of the algorithm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.algorithms.lda import data
from tests.platform import Job

MakeJob = Callable[..., Job]


def made(base: Path, documents: int, **given: str | None) -> Job:
    """A job that finds the bars of so many documents; `given` are more hyperparameters, None for one left out."""
    asked = {
        "num_topics": str(data.TOPICS),
        "feature_dim": str(data.WORDS),
        "mini_batch_size": str(documents),
        "_sweeps": "30" if given.get("_engine", "gibbs") == "gibbs" else None,
        "_chains": "2" if given.get("_engine", "gibbs") == "gibbs" else None,
        **given,
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    job = Job(base, asked, {"SAGEDOCK_ALGORITHM": "lda"})
    return job.add_channel("train", {"docs.pbr": data.recordio(data.bars(documents).counts)})


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Makes a job on bars."""

    def make(name: str = "job", documents: int = 200, **given: str | None) -> Job:
        return made(tmp_path / name, documents, **given)

    return make
