"""SageMaker SDK's local mode, imitated: the same mounts, names, terminals and commands, without it (contract 7)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.images.conftest import MakeJob
from tests.images.container import Engine
from tests.platform import Job

pytestmark = pytest.mark.docker

HOST = "algo-1-x7k2p"


@pytest.fixture
def job(churn_job: MakeJob, tmp_path: Path) -> Job:
    """The churn job with the three files that SDK 2 writes, and no more (7.1)."""
    job = churn_job(tmp_path / "ml", num_round="2")
    resources = {"current_host": HOST, "hosts": [HOST], "network_interface_name": "eth0"}
    job.write_config("resourceconfig", {**resources, "current_instance_type": "local"})
    return job


def test_sdk_2(cpu: Engine, job: Job, tmp_path: Path) -> None:
    """Contract H01: one mount for each directory, a shared model directory, a terminal, a random host name."""
    model, output = tmp_path / "shared-model", tmp_path / "output"
    for directory in (model, output / "data"):
        directory.mkdir(parents=True)
    mounts = {model: "model", output: "output", output / "data": "output/data", job.base / "input": "input"}
    channels = {job.data / name: f"input/data/{name}" for name in job.channels}
    run = cpu.run(
        "train",
        volumes={str(here): {"bind": f"/opt/ml/{there}", "mode": "rw"} for here, there in (mounts | channels).items()},
        environment={"TRAINING_JOB_NAME": "churn", "AWS_REGION": "eu-central-1"},
        hostname=HOST,
        tty=True,
        stdin_open=True,
    )
    assert (run.code, run.complaints) == (0, []), run.log
    assert {"xgboost-model", "manifest.json"} == {path.name for path in model.iterdir()}
    assert (output / "data" / "report.html").exists()
    assert not (output / "failure").exists()
    assert "\r[" not in run.log, "a progress bar ran, though the terminal is a log"


def test_sdk_3(cpu: Engine, job: Job) -> None:
    """Contract 7.2, B14, B25: no command, a network interface that does not exist, channels `code` and `sm_drivers`."""
    job.write_config(
        "resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "ethwe"}
    )
    for name in ("code", "sm_drivers"):
        job.add_channel(name, {"sm_train.sh": "exit 1"})
    run = cpu.run(None, job.base)
    assert run.code == 0, run.log
    assert (job.model / "xgboost-model").exists()


def test_sdk_3_with_source_code(cpu: Engine, job: Job) -> None:
    """Contract 7.2: the entry point is replaced by a script that came in a channel; it finds bash, python3 and pip."""
    script = '#!/bin/bash\nset -e\npython3 -m pip --version\npython3 -c "import sagedock, xgboost"\nsagedock list\n'
    job.add_channel("sm_drivers", {"sm_train.sh": script})
    driver = "/opt/ml/input/data/sm_drivers/sm_train.sh"
    run = cpu.run([], job.base, entrypoint=["/bin/bash", "-c", f"chmod +x {driver} && {driver}"])
    assert run.code == 0, run.log
    assert "xgboost" in run.log


def test_sdk_3_cleans_up(cpu: Engine, job: Job) -> None:
    """Contract 7.2, A04: `chmod -R 777 /delete` after the job, over the job's own directory."""
    assert cpu.run("train", job.base).code == 0
    run = cpu.run("chmod -R 777 /delete", volumes={str(job.base): {"bind": "/delete", "mode": "rw"}})
    assert (run.code, run.log) == (0, "")
    assert json.loads((job.model / "manifest.json").read_text())["algorithm"] == "xgboost"


def test_sdk_3_serves_for_a_model_builder(cpu: Engine, trained: Job, held_back: bytes) -> None:
    """Contract 7.3: variables of script mode are set, though there is no script, and the answer has to parse."""
    environment = {"SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", "SAGEMAKER_PROGRAM": "inference.py"}
    with cpu.serving(trained.base, environment=environment) as served:
        assert served.invoke(held_back)
