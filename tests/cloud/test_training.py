"""Jobs on SageMaker, which moto's server plays: real requests over a socket by a real process.

Moto runs nothing and completes a job at once. Where a test is about the time before that, it sets the state that
SageMaker would be in; StopTrainingJob, which moto lacks, is added to its server here.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from sagedock.cloud.aws import asking
from sagedock.errors import PlatformError
from tests.cloud.command import BUCKET, CHURN, Sagedock
from tests.cloud.services import ACCOUNT, PATIENCE_SECONDS, REGION, Aws, write_log

LINES = [
    "[2026-01-01:00:00:00:INFO] training xgboost on the CPU, job sagedock-churn",
    "[0]#011train-error:0.10000",
    "[99]#011train-error:0.05000",
]


@pytest.fixture
def sagedock(aws: Aws) -> Sagedock:
    aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return Sagedock(aws)


@pytest.fixture
def channels(tmp_path: Path) -> list[str]:
    """The three channels of the churn job as directories here, given on the command line."""
    arguments = []
    for name in ("train", "validation", "feature-names"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.csv").write_text(f"{name}\n")
        arguments += ["--channel", f"{name}={tmp_path / name}"]
    return arguments


def test_a_training_job_from_directories_to_artefacts(
    aws: Aws, sagedock: Sagedock, channels: list[str], tmp_path: Path
) -> None:
    """Issue 3 item 7: channels go up, the job is made in the caller's account, its log shown, its model fetched."""
    write_log(aws, LINES)
    s3 = aws.client("s3")
    for name in ("model", "output"):
        s3.put_object(Bucket=BUCKET, Key=f"churn/output/sagedock-churn/output/{name}.tar.gz", Body=name.encode())
    output = tmp_path / "output"
    done = sagedock("run", CHURN / "training-job.json", *channels, "--output", str(output))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == LINES
    assert (output / "model.tar.gz").read_bytes() == b"model"
    assert (output / "output.tar.gz").read_bytes() == b"output"
    assert s3.get_object(Bucket=BUCKET, Key="churn/train/rows.csv")["Body"].read() == b"train\n"
    job = aws.client("sagemaker").describe_training_job(TrainingJobName="sagedock-churn")
    assert job["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/SageMakerExecutionRole"
    assert job["AlgorithmSpecification"]["TrainingImage"].startswith(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/")
    assert job["OutputDataConfig"]["S3OutputPath"] == f"s3://{BUCKET}/churn/output/"
    assert "completed: s3://" in done.stderr
    assert f"111122223333 stands for {ACCOUNT}" in done.stderr


def test_what_the_command_line_says_instead(aws: Aws, sagedock: Sagedock) -> None:
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mine@sha256:{'0' * 64}"
    role = f"arn:aws:iam::{ACCOUNT}:role/Mine"
    done = sagedock("run", CHURN / "training-job.json", "--image", image, "--role", role, "--name", "churn-2")
    assert done.returncode == 0, done.stderr
    job = aws.client("sagemaker").describe_training_job(TrainingJobName="churn-2")
    assert (job["AlgorithmSpecification"]["TrainingImage"], job["RoleArn"]) == (image, role)


@pytest.mark.parametrize(
    ("member", "value", "text"),
    [
        ("TrainingJobName", "churn_job", "TrainingJobName: 'churn_job' does not match"),
        ("RoleArn", "me", "RoleArn, value: 2, valid min length: 20"),
        ("ResourceConfig", {"InstanceType": "ml.m5.gigantic", "InstanceCount": 1}, "ResourceConfig.InstanceType"),
        ("HyperParameters", {"eta": 0.2}, "Invalid type for parameter HyperParameters.eta"),
        ("Hyperparameter", {}, 'Unknown parameter in input: "Hyperparameter"'),
        ("OutputDataConfig", None, "OutputDataConfig"),
    ],
)
def test_a_request_is_checked_before_anything_is_sent(
    tmp_path: Path, sagedock: Sagedock, channels: list[str], aws: Aws, member: str, value: Any, text: str
) -> None:
    """The error names the field; nothing was uploaded, since with a dead address nothing could be."""
    body = json.loads((CHURN / "training-job.json").read_text())
    (tmp_path / "job.json").write_text(json.dumps({**body, member: value}))
    done = sagedock("run", tmp_path / "job.json", *channels, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert f"{tmp_path / 'job.json'} is no request that CreateTrainingJob takes" in done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_is_taken(aws: Aws, sagedock: Sagedock) -> None:
    assert sagedock("run", CHURN / "training-job.json").returncode == 0
    again = sagedock("run", CHURN / "training-job.json")
    assert again.returncode == 1
    assert "the training job sagedock-churn exists already (Completed): choose another name with --name" in again.stderr
    assert sagedock("run", CHURN / "training-job.json", "--attach").returncode == 0


def test_a_channel_that_holds_something_else(sagedock: Sagedock, channels: list[str], aws: Aws) -> None:
    """S3Prefix reads all that lies below the prefix (contract 1.4), so what is not in the directory is told."""
    aws.client("s3").put_object(Bucket=BUCKET, Key="churn/train/old.csv", Body=b"old")
    done = sagedock("run", CHURN / "training-job.json", *channels)
    assert done.returncode == 1
    assert f"s3://{BUCKET}/churn/train/old.csv lies below" in done.stderr
    assert aws.state("sagemaker").training_jobs == {}


def test_a_bucket_that_is_not_there(aws: Aws, channels: list[str]) -> None:
    done = Sagedock(aws)("run", CHURN / "training-job.json", *channels)
    assert done.returncode == 1
    assert f"there is no bucket {BUCKET}: make it with aws s3 mb s3://{BUCKET}" in done.stderr


def test_the_reason_of_a_failure(aws: Aws, sagedock: Sagedock) -> None:
    """Requirement 6: FailureReason and what the exit code means; the exit code of the command is not 0."""
    assert sagedock("run", CHURN / "training-job.json").returncode == 0
    _set(aws, training_job_status="Failed", failure_reason="AlgorithmError: no memory, exit code: 137")
    done = sagedock("run", CHURN / "training-job.json", "--attach")
    assert done.returncode == 1
    assert "training job sagedock-churn failed" in done.stderr
    assert "reason  AlgorithmError: no memory, exit code: 137" in done.stderr
    assert "exit code 137: killed: usually for memory" in done.stderr


def _set(aws: Aws, **state: str) -> None:
    job = aws.state("sagemaker").training_jobs["sagedock-churn"]
    for name, value in state.items():
        setattr(job, name, value)


def _wait(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_job_is_followed_from_stage_to_stage(aws: Aws, sagedock: Sagedock, tmp_path: Path) -> None:
    """The log is streamed while the job runs, in CloudWatch's order, each line once."""
    assert sagedock("run", CHURN / "training-job.json").returncode == 0
    _set(aws, training_job_status="InProgress", secondary_status="Downloading")
    with sagedock.started("run", CHURN / "training-job.json", "--attach", log=tmp_path / "log") as process:
        shown = tmp_path / "log"
        _wait(lambda: "sagedock-churn: Downloading" in shown.read_text(), process)
        _set(aws, secondary_status="Training")
        _wait(lambda: "sagedock-churn: Training" in shown.read_text(), process)
        write_log(aws, LINES[:2])
        _wait(lambda: "[0]#011" in shown.read_text(), process)
        write_log(aws, LINES[2:])
        _set(aws, training_job_status="Completed", secondary_status="Completed")
        assert process.wait(PATIENCE_SECONDS) == 0
    text = shown.read_text()
    assert [line for line in text.splitlines() if line in LINES] == LINES
    assert text.index("Downloading") < text.index("Training") < text.index("[99]#011") < text.index("completed:")


def test_ctrl_c_leaves_the_job_and_says_how_to_go_on(aws: Aws, sagedock: Sagedock, tmp_path: Path) -> None:
    assert sagedock("run", CHURN / "training-job.json").returncode == 0
    _set(aws, training_job_status="InProgress", secondary_status="Training")
    with sagedock.started("run", CHURN / "training-job.json", "--attach", log=tmp_path / "log") as process:
        _wait(lambda: "sagedock-churn: Training" in (tmp_path / "log").read_text(), process)
        process.send_signal(2)
        assert process.wait(PATIENCE_SECONDS) == 130
    told = (tmp_path / "log").read_text()
    assert "training-job.json --on sagemaker --name sagedock-churn --attach" in told
    assert "sagedock delete" in told
    assert "Traceback" not in told


def test_delete_stops_a_job_that_runs(aws: Aws, sagedock: Sagedock, monkeypatch: pytest.MonkeyPatch) -> None:
    """StopTrainingJob is not in moto: its server gets it here, with SageMaker's effect on the state."""

    def stop_training_job(self: SageMakerResponse) -> ActionResult:
        jobs = self.sagemaker_backend.training_jobs
        jobs[self._get_param("TrainingJobName")].training_job_status = "Stopping"
        return ActionResult({})

    monkeypatch.setattr(SageMakerResponse, "stop_training_job", stop_training_job, raising=False)
    absent = sagedock("delete", CHURN / "training-job.json")
    assert (absent.returncode, absent.stdout) == (0, "there is no training job sagedock-churn\n")
    assert sagedock("run", CHURN / "training-job.json").returncode == 0
    assert "is Completed: nothing runs" in sagedock("delete", CHURN / "training-job.json").stdout
    _set(aws, training_job_status="InProgress")
    done = sagedock("delete", CHURN / "training-job.json")
    assert (done.returncode, done.stdout.split(";")[0]) == (0, "stopping the training job sagedock-churn")
    assert aws.state("sagemaker").training_jobs["sagedock-churn"].training_job_status == "Stopping"


def test_a_transform_job_and_its_predictions(aws: Aws, sagedock: Sagedock, tmp_path: Path) -> None:
    """Issue 3 item 7: the model first, then the job; its output comes back."""
    early = sagedock("run", CHURN / "transform-job.json")
    assert early.returncode == 1
    assert f"there is no model sagedock-churn: create it first, with sagedock run {CHURN}/model.json" in early.stderr
    assert sagedock("run", CHURN / "model.json").returncode == 0
    write_log(aws, ["ready"], "/aws/sagemaker/TransformJobs")
    aws.client("s3").put_object(Bucket=BUCKET, Key="churn/predictions/features.csv.out", Body=b"0.5\n")
    done = sagedock("run", CHURN / "transform-job.json", "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ready\n"
    assert (tmp_path / "out" / "features.csv.out").read_bytes() == b"0.5\n"
    job = aws.client("sagemaker").describe_transform_job(TransformJobName="sagedock-churn")
    assert job["TransformOutput"]["S3OutputPath"] == f"s3://{BUCKET}/churn/predictions/"


def test_a_tuning_job(aws: Aws, sagedock: Sagedock) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/Mine"
    done = sagedock("run", CHURN / "tuning-job.json", "--role", role)
    assert done.returncode == 0, done.stderr
    name = {"HyperParameterTuningJobName": "sagedock-churn"}
    job = aws.client("sagemaker").describe_hyper_parameter_tuning_job(**name)
    assert job["TrainingJobDefinition"]["RoleArn"] == role


def test_an_upload_that_fails_is_told_with_its_place(aws: Aws, tmp_path: Path) -> None:
    """The transfer of a file has errors of boto3's own, which are none of botocore's."""
    file = tmp_path / "rows.csv"
    file.write_text("1\n")
    told = r"uploading rows\.csv: Failed to upload .*NoSuchBucket"
    with pytest.raises(PlatformError, match=told), asking("uploading rows.csv"):
        aws.client("s3").upload_file(str(file), "there-is-no-such-bucket", "rows.csv")
