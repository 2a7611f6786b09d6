"""Script mode: a user's own ten-line script, handed to sagemaker-training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.images.container import Engine
from tests.platform import Job

pytestmark = pytest.mark.docker

SCRIPT = """\
import argparse, json, os
import numpy as np
parser = argparse.ArgumentParser()
parser.add_argument("--degree", type=int)
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
arguments = parser.parse_args()
table = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), delimiter=",")
coefficients = np.polyfit(table[:, 1], table[:, 0], arguments.degree)
with open(os.path.join(arguments.model_dir, "model.json"), "w") as file:
    json.dump({"coefficients": coefficients.tolist()}, file)
"""
DATA = "".join(f"{2 * x + 1},{x}\n" for x in range(10))


@pytest.fixture(params=["cpu", "gpu"])
def either(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("spelling", ["train.py", '"train.py"'])
def test_a_users_script_trains(either: Engine, tmp_path: Path, spelling: str) -> None:
    """Issue 2, item 9; contract 2.2: the name bare or quoted, as SDK 2's two kinds of estimator send it."""
    job = _job(tmp_path / "ml", SCRIPT, spelling)
    run = either.run("train", job.base, hostname="algo-1", network_mode="none")
    assert run.code == 0, run.log
    slope, intercept = json.loads((job.model / "model.json").read_text())["coefficients"]
    assert (round(slope, 6), round(intercept, 6)) == (2, 1)


def test_a_failing_script_fails_the_job(cpu: Engine, tmp_path: Path) -> None:
    """Contract 2.4: the exit code is not 0, the failure file names the script, the log its error."""
    job = _job(tmp_path / "ml", "raise ValueError('no such customer')", "train.py")
    run = cpu.run("train", job.base, hostname="algo-1", network_mode="none")
    assert run.code != 0
    assert "train.py" in job.failure
    assert "no such customer" in run.log


def _job(base: Path, script: str, program: str) -> Job:
    hyperparameters = {"sagemaker_program": program, "sagemaker_submit_directory": "/opt/ml/code", "degree": "1"}
    job = Job(base, hyperparameters).add_channel("train", {"train.csv": DATA})
    job.write_config("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"]})
    (base / "code").mkdir()
    (base / "code" / "train.py").write_text(script)
    return job
