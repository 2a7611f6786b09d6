"""The same job as a process and in the image: the same model and the same predictions, to the last digit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images.conftest import MakeJob
from tests.images.container import Engine
from tests.platform import Job
from tests.serving.process import Server

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def process_job(churn_job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The churn job, trained as a process of this machine."""
    job = churn_job(tmp_path_factory.mktemp("process") / "ml")
    run = job.process()
    assert run.returncode == 0, run.stderr
    return job


def test_predictions_are_equal(cpu: Engine, trained: Job, process_job: Job, held_back: bytes) -> None:
    """Issue 2, item 10: trained and served in a container, trained and served as a process."""
    with cpu.serving(trained.base) as served:
        in_container = served.invoke(held_back)
    assert in_container == _process_predictions(process_job.base, held_back)


def test_models_and_metrics_are_equal(trained: Job, process_job: Job) -> None:
    """The artefact byte for byte, and metrics.json but for the seconds it took and the version of Python."""
    assert (trained.model / "xgboost-model").read_bytes() == (process_job.model / "xgboost-model").read_bytes()
    in_container, in_process = trained.metrics(), process_job.metrics()
    for metrics in (in_container, in_process):
        del metrics["job"]["seconds"], metrics["job"]["versions"]["python"]
    assert in_container == in_process


def test_a_model_of_the_container_serves_in_a_process(trained: Job, process_job: Job, held_back: bytes) -> None:
    """The model directory says what it is: nothing in it belongs to the image."""
    assert _process_predictions(trained.base, held_back) == _process_predictions(process_job.base, held_back)


def _process_predictions(base: Path, body: bytes) -> bytes:
    with Server(base) as server:
        server.wait_ready()
        reply = server.invoke(body)
    assert reply.status == 200, reply.body
    return reply.body
