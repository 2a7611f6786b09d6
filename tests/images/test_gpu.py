"""The GPU image: its NVIDIA settings, and how it behaves on a machine without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images.conftest import MakeJob
from tests.images.container import Engine
from tests.platform import Job

pytestmark = pytest.mark.docker

KERNEL = """
from sagedock.algorithms.blazingtext.cuda_kernel import compiled
print(len(compiled((7, 5))) > 0, len(compiled((9, 0))) > 0)
"""


def test_configuration(gpu: Engine, cpu: Engine) -> None:
    """Contract G01, and the rest as in the CPU image (A06, A08)."""
    environment = dict(pair.split("=", 1) for pair in gpu.configuration["Env"])
    assert environment.pop("NVIDIA_VISIBLE_DEVICES") == "all"
    assert {"compute", "utility"} <= set(environment.pop("NVIDIA_DRIVER_CAPABILITIES").split(","))
    assert environment.pop("NVIDIA_REQUIRE_CUDA") == ""
    assert environment == dict(pair.split("=", 1) for pair in cpu.configuration["Env"])
    for key in ("Entrypoint", "Cmd", "User", "Volumes", "WorkingDir", "ExposedPorts"):
        assert gpu.configuration.get(key) == cpu.configuration.get(key), key
    assert set(gpu.configuration["Labels"]) == set(cpu.configuration["Labels"])


def test_the_kernel_of_word_vectors_compiles(gpu: Engine) -> None:
    """For T4 and H100, by what the pruned image has, and without a driver."""
    run = gpu.run(["python3", "-c", KERNEL], network_mode="none", read_only=True, tmpfs={"/tmp": ""})
    assert (run.code, run.log.split()) == (0, ["True", "True"]), run.log


def test_no_driver_library(gpu: Engine) -> None:
    """Contract G05: the driver is the host's."""
    run = gpu.shell("find / -xdev '(' -name 'libcuda.so*' -o -name 'libnvidia-ml.so*' ')' ! -path '*/compat/*'")
    assert run.log == ""


@pytest.mark.parametrize("environment", [{}, {"NVIDIA_VISIBLE_DEVICES": "void"}, {"SAGEDOCK_DEVICE": "auto"}])
def test_auto_falls_back_to_the_cpu(
    gpu: Engine, churn_job: MakeJob, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Contract C17, G04: without a GPU it trains on the CPU."""
    job = churn_job(tmp_path / "ml", num_round="2")
    run = gpu.run("train", job.base, environment=environment)
    assert (run.code, run.complaints) == (0, []), run.log
    assert "on the CPU" in run.log


def test_models_are_interchangeable(
    gpu: Engine, cpu: Engine, trained: Job, churn_job: MakeJob, tmp_path: Path, held_back: bytes
) -> None:
    """Contract C17, G06: each image serves what the other trained, and answers the same."""
    job = churn_job(tmp_path / "ml")
    assert gpu.run("train", job.base).code == 0
    answers = []
    for engine, base in ((cpu, trained.base), (cpu, job.base), (gpu, trained.base), (gpu, job.base)):
        with engine.serving(base) as served:
            answers.append(served.invoke(held_back))
    assert answers[1:] == answers[:1] * 3


@pytest.mark.parametrize("variant", ["gpu", "cpu"])
def test_gpu_asked_for_and_not_there(
    request: pytest.FixtureRequest, churn_job: MakeJob, tmp_path: Path, variant: str
) -> None:
    """Contract C17: training fails with the cause and the remedy, and does not quietly train on the CPU."""
    engine: Engine = request.getfixturevalue(variant)
    job = churn_job(tmp_path / "ml", num_round="2")
    run = engine.run("train", job.base, environment={"SAGEDOCK_DEVICE": "gpu"})
    assert run.code == 1
    assert "SAGEDOCK_DEVICE is gpu, but no GPU is visible" in job.failure.splitlines()[0]
    assert "--gpus all" in job.failure
    assert not (job.model / "xgboost-model").exists()


def test_gpu_asked_for_and_not_there_in_serving(gpu: Engine, trained: Job) -> None:
    """Contract C17: the server ends with the same words."""
    run = gpu.run("serve", trained.base, environment={"SAGEDOCK_DEVICE": "gpu"})
    assert run.code == 1
    assert "SAGEDOCK_DEVICE is gpu, but no GPU is visible" in run.log
    assert "Traceback" not in run.log
