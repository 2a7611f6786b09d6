"""Training jobs on small tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.algorithms.xgboost import data
from tests.platform import Job

MakeJob = Callable[..., Job]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Makes a job with train and validation channels in CSV, binary labels unless `labels` says otherwise."""

    def make(name: str = "job", *, labels=data.binary_labels, rows: int = 300, validation: bool = True, **given) -> Job:
        hyperparameters = {"objective": "binary:logistic", "num_round": "5", "max_depth": "3", "nthread": "1", **given}
        job = Job(tmp_path / name, hyperparameters, {"SAGEDOCK_ALGORITHM": "xgboost"})
        train, held_out = data.numbers(rows), data.numbers(rows // 2, seed=7)
        job.add_channel("train", {"train.csv": data.csv(labels(train), train)}, ContentType="text/csv")
        if validation:
            job.add_channel("validation", {"v.csv": data.csv(labels(held_out), held_out)}, ContentType="text/csv")
        return job

    return make
