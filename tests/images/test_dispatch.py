"""How an image is started (contract A01 to A08). A09 is about a pushed image: that belongs to pushing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.images.conftest import MakeJob
from tests.images.container import COMPLAINT, Engine
from tests.platform import Job

pytestmark = pytest.mark.docker


def test_train_exits_with_0_and_leaves_a_model(trained: Job) -> None:
    """Contract A01, B26, B29, C01: with no network, no AWS variable and a read-only root file system."""
    assert (trained.model / "xgboost-model").stat().st_size > 0
    assert (trained.output_data / "report.html").stat().st_size > 0
    assert trained.failure == ""
    log = (trained.base / "train.log").read_text()
    assert not [line for line in log.splitlines() if COMPLAINT.search(line)]
    assert "\r" not in log, "a progress bar ran in a container's log"
    assert log.count("validation-auc:") == 100


def test_serve_listens_on_port_8080_of_every_interface(cpu: Engine, trained: Job, held_back: bytes) -> None:
    """Contract A02, C16, D01."""
    with cpu.serving(trained.base) as served:
        rows = served.invoke(held_back).split()
        assert len(rows) == len(held_back.splitlines())
        assert all(0 < float(row) < 1 for row in rows)
        served.container.reload()
        assert served.container.status == "running"
        assert not [line for line in served.log.splitlines() if COMPLAINT.search(line)]


def test_no_argument_trains(cpu: Engine, churn_job: MakeJob, tmp_path: Path) -> None:
    """Contract A03: ModelTrainer of SDK 3 passes no command (7.2)."""
    job = churn_job(tmp_path / "ml", num_round="2")
    run = cpu.run(None, job.base)
    assert run.code == 0, run.log
    assert job.manifest()["algorithm"] == "xgboost"


def test_another_first_argument_is_executed(cpu: Engine, tmp_path: Path) -> None:
    """Contract A04: the clean-up of SDK 3 is `chmod -R 777 /delete` (7.2)."""
    file = tmp_path / "left" / "behind"
    file.parent.mkdir()
    file.write_text("")
    file.chmod(0o600)
    run = cpu.run(["chmod", "-R", "777", "/delete"], volumes={str(file.parent): {"bind": "/delete", "mode": "rw"}})
    assert (run.code, run.log) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o777


def test_a_commands_exit_code_is_passed_on(cpu: Engine) -> None:
    """Contract A04; and a word that is neither command nor program is explained."""
    assert cpu.run(["sh", "-c", "exit 7"]).code == 7
    run = cpu.run(["trian"])
    assert run.code == 127
    assert "'trian'" in run.log
    assert "train" in run.log


def test_commands_stand_on_path(cpu: Engine) -> None:
    """Contract A05, and pip for SDK 3 (7.2); `train` is ours, not that of sagemaker-training."""
    run = cpu.shell("command -v train && command -v serve && command -v bash && command -v python3 && command -v pip")
    assert run.code == 0, run.log
    assert run.log.split()[:2] == ["/usr/local/bin/train", "/usr/local/bin/serve"]


def test_train_and_serve_as_entry_points(cpu: Engine, trained: Job, tmp_path: Path) -> None:
    """Contract 1.1: a job's ContainerEntrypoint may name the command itself."""
    run = cpu.run([], tmp_path, entrypoint=["train"])
    assert run.code == 1
    assert "SAGEDOCK_ALGORITHM" in (tmp_path / "output" / "failure").read_text()
    with cpu.serving(trained.base, entrypoint=["serve"], command=[]) as served:
        served.wait(lambda: served.ping() == 200)


def test_configuration(cpu: Engine) -> None:
    """Contract A06, 9: exec form, root, no volume, nothing set that stands in SageMaker's way."""
    configuration = cpu.configuration
    assert configuration["Entrypoint"] == ["sagedock"]
    assert configuration.get("User", "") in {"", "root", "0"}
    assert not configuration.get("Volumes")
    assert not configuration.get("WorkingDir", "").startswith("/opt/ml")
    assert not configuration.get("StopSignal")


def test_environment(cpu: Engine) -> None:
    """Contract 9: logs unbuffered, nothing of this machine's network in the image."""
    environment = dict(pair.split("=", 1) for pair in cpu.configuration["Env"])
    assert environment["PYTHONUNBUFFERED"] == environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environment["LANG"] == "C.UTF-8"
    assert "/opt/sagedock/bin" in environment["PATH"].split(":")
    assert environment["SAGEDOCK_PROGRESS"] == "never"
    assert not [name for name in environment if "PIP" in name or "PROXY" in name.upper() or "CERT" in name]


def test_labels(cpu: Engine) -> None:
    """Contract A08: accept-bind-to-port and multi-models."""
    labels = cpu.configuration["Labels"]
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert labels["com.amazonaws.sagemaker.capabilities.multi-models"] == "true"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    for name in ("title", "description", "version", "revision"):
        assert labels[f"org.opencontainers.image.{name}"]


def test_an_empty_opt_ml_is_explained_by_train(cpu: Engine, tmp_path: Path) -> None:
    """Contract A07: the code is all there, only the job is missing."""
    run = cpu.run("train", tmp_path)
    assert run.code == 1
    assert "Traceback" not in run.log
    assert "SAGEDOCK_ALGORITHM" in (tmp_path / "output" / "failure").read_text().splitlines()[0]


def test_an_empty_opt_ml_is_explained_by_serve(cpu: Engine, tmp_path: Path) -> None:
    """Contract A07, D11: /ping says 503 and the log says why."""
    with cpu.serving(tmp_path) as served:
        served.wait(lambda: "/opt/ml/model" in served.log and "empty" in served.log)
        assert served.ping() == 503
        assert "Traceback" not in served.log
