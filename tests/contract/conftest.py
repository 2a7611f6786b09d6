"""Every statement of the contract is crossed with every algorithm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sagedock import algorithms
from sagedock.algorithm import Algorithm
from tests.contract.samples import SAMPLES, Sample
from tests.platform import Job


@pytest.fixture(scope="module", params=algorithms.names())
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    """Each algorithm in turn."""
    return algorithms.find(request.param)


@pytest.fixture(scope="module")
def sample(algorithm: Algorithm) -> Sample:
    """The algorithm's sample; an algorithm without one fails here."""
    assert algorithm.name in SAMPLES, "tests/contract/samples.py has no entry for this algorithm"
    return SAMPLES[algorithm.name]


@pytest.fixture
def make_job(algorithm: Algorithm, sample: Sample, tmp_path: Path) -> Callable[..., Job]:
    """Makes the sample's job, hyperparameters added or replaced by `given`; None removes one."""

    def make(name: str = "job", **given: str | None) -> Job:
        hyperparameters = {**sample.hyperparameters, "sagedock_algorithm": algorithm.name, **given}
        job = Job(tmp_path / name, {name: value for name, value in hyperparameters.items() if value is not None})
        for channel, files in sample.channels.items():
            job.add_channel(channel, files, ContentType=sample.content_type)
        return job

    return make


@pytest.fixture(scope="module")
def trained(algorithm: Algorithm, sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A model trained by the training flow: serving it needs no setting."""
    base = tmp_path_factory.mktemp(algorithm.name)
    job = Job(base, dict(sample.hyperparameters), {"SAGEDOCK_ALGORITHM": algorithm.name})
    for name, files in sample.channels.items():
        job.add_channel(name, files, ContentType=sample.content_type)
    assert job.run() == 0, job.failure
    return job
