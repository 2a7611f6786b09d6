"""ECR's part of pushing that needs no engine: the repository, and what is told when AWS refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sagedock.cloud import ecr
from sagedock.errors import UserError
from tests.cloud.services import ACCOUNT, PASSWORD, REGION, Aws

ROOT = Path(__file__).parents[2]


def push(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sagedock.cloud.push", "cpu", "--image", "sagedock-test:none"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_a_repository_that_is_there_is_used(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    client = aws.client("ecr")
    client.create_repository(repositoryName="mine", imageTagMutability="MUTABLE")
    found = ecr.repository(client, "mine", None)
    assert found == ecr.Repository(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com", "mine")
    assert "lets tags be overwritten" in capsys.readouterr().err


def test_a_name_that_ecr_refuses(aws: Aws) -> None:
    with pytest.raises(UserError, match="looking for the ECR repository Sagedock: AWS answered InvalidParameter"):
        ecr.repository(aws.client("ecr"), "Sagedock", None)


def test_the_password_is_in_no_representation(aws: Aws) -> None:
    granted = ecr.credentials(aws.client("ecr"))
    assert granted.password == PASSWORD
    assert PASSWORD not in repr(granted)


def test_without_a_region_nothing_begins() -> None:
    done = push(PATH="/usr/bin", AWS_CONFIG_FILE="/dev/null")
    assert done.returncode == 1
    assert "UserError: no AWS region is set: give --region" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_boto3_the_extra_is_named(tmp_path: Path) -> None:
    """Requirement 30: boto3 is optional."""
    (tmp_path / "boto3.py").write_text("raise ImportError('hidden')\n")
    done = push(PATH="/usr/bin", PYTHONPATH=str(tmp_path), AWS_DEFAULT_REGION=REGION)
    assert done.returncode == 1
    assert "pip install 'sagedock[sagemaker]'" in done.stderr
    assert "Traceback" not in done.stderr
