"""Every statement of the contract is crossed with every algorithm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sagedock import algorithms
from tests.contract.samples import SAMPLES, Sample
from tests.platform import Job


@pytest.fixture(params=algorithms.names())
def sample(request: pytest.FixtureRequest) -> Sample:
    """The sample of each algorithm in turn; an algorithm without one fails here."""
    return SAMPLES[request.param]


@pytest.fixture
def make_job(sample: Sample, tmp_path: Path) -> Callable[..., Job]:
    """Makes the sample's job, hyperparameters added or replaced by `given`; None removes one."""

    def make(name: str = "job", **given: str | None) -> Job:
        hyperparameters = {**sample.hyperparameters, "sagedock_algorithm": sample.algorithm, **given}
        job = Job(tmp_path / name, {name: value for name, value in hyperparameters.items() if value is not None})
        for channel, files in sample.channels.items():
            job.add_channel(channel, files, ContentType=sample.content_type)
        return job

    return make
