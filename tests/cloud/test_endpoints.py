"""Endpoints on SageMaker, which moto's server plays; it serves nothing, and puts an endpoint in service at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cloud.command import CHURN, Sagedock
from tests.cloud.services import ACCOUNT, REGION, Aws, write_log

ENDPOINT = CHURN / "endpoint.json"


@pytest.fixture
def sagedock(aws: Aws) -> Sagedock:
    return Sagedock(aws)


def names(aws: Aws) -> tuple[list[str], list[str], list[str]]:
    """The models, endpoint configurations and endpoints there are."""
    client = aws.client("sagemaker")
    return (
        [found["ModelName"] for found in client.list_models()["Models"]],
        [found["EndpointConfigName"] for found in client.list_endpoint_configs()["EndpointConfigs"]],
        [found["EndpointName"] for found in client.list_endpoints()["Endpoints"]],
    )


def test_an_endpoint_and_its_parts_come_and_go(aws: Aws, sagedock: Sagedock) -> None:
    """Issue 3 item 7: model, configuration and endpoint in order; delete takes them away, a second time nothing."""
    done = sagedock("run", ENDPOINT)
    assert done.returncode == 0, done.stderr
    created = [line for line in done.stderr.splitlines() if line.startswith("created")]
    assert created == [f"created the {noun} sagedock-churn" for noun in ("model", "endpoint configuration", "endpoint")]
    assert f"invoke-endpoint --region {REGION} --endpoint-name sagedock-churn" in done.stderr
    assert names(aws) == (["sagedock-churn"],) * 3
    model = aws.client("sagemaker").describe_model(ModelName="sagedock-churn")
    assert model["PrimaryContainer"]["Image"].startswith(f"{ACCOUNT}.dkr.ecr.{REGION}.")
    gone = sagedock("delete", ENDPOINT)
    assert gone.returncode == 0, gone.stderr
    assert gone.stdout.splitlines() == [
        f"deleted the {noun} sagedock-churn" for noun in ("endpoint", "endpoint configuration", "model")
    ]
    assert names(aws) == ([], [], [])
    again = sagedock("delete", ENDPOINT)
    assert again.returncode == 0
    assert again.stdout.count("there is no") == 3


def test_what_is_there_already_is_used_when_it_is_the_same(aws: Aws, sagedock: Sagedock) -> None:
    assert sagedock("run", CHURN / "model.json").returncode == 0
    done = sagedock("run", ENDPOINT)
    assert done.returncode == 0, done.stderr
    assert "the model sagedock-churn is there already" in done.stderr
    taken = sagedock("run", ENDPOINT)
    assert taken.returncode == 1
    assert "the endpoint sagedock-churn exists already (InService): delete it" in taken.stderr
    second = sagedock("run", ENDPOINT, "--name", "second")
    assert second.returncode == 0, second.stderr
    assert set(names(aws)[2]) == {"sagedock-churn", "second"}


def test_a_model_that_is_another_is_not_used(aws: Aws, sagedock: Sagedock) -> None:
    assert sagedock("run", CHURN / "model.json", "--image", "another:image").returncode == 0
    done = sagedock("run", ENDPOINT)
    assert done.returncode == 1
    assert "the model sagedock-churn exists and differs from" in done.stderr
    assert names(aws)[2] == []


def test_every_part_is_checked_before_any_is_created(aws: Aws, sagedock: Sagedock, tmp_path: Path) -> None:
    for name in ("model", "endpoint-config", "endpoint"):
        shutil.copy(CHURN / f"{name}.json", tmp_path)
    body = json.loads((tmp_path / "endpoint-config.json").read_text())
    body["ProductionVariants"][0]["InstanceType"] = "ml.m5.gigantic"
    (tmp_path / "endpoint-config.json").write_text(json.dumps(body))
    done = sagedock("run", tmp_path / "endpoint.json")
    assert done.returncode == 1
    assert "ProductionVariants[0].InstanceType: 'ml.m5.gigantic' is not one of" in done.stderr
    assert names(aws) == ([], [], [])
    (tmp_path / "endpoint-config.json").unlink()
    alone = sagedock("run", tmp_path / "endpoint.json")
    assert "names the endpoint configuration 'sagedock-churn', but no document in" in alone.stderr


def test_the_reason_of_an_endpoint_that_fails(aws: Aws, sagedock: Sagedock) -> None:
    """Requirement 6: the failure reason, the end of the log, and how to clean up."""
    assert sagedock("run", ENDPOINT).returncode == 0
    endpoint = aws.state("sagemaker").endpoints["sagedock-churn"]
    endpoint.endpoint_status, endpoint.failure_reason = "Failed", "The container did not pass the ping health check."
    write_log(aws, ["no model"], "/aws/sagemaker/Endpoints/sagedock-churn", "AllTraffic/i-1")
    done = sagedock("run", ENDPOINT, "--attach")
    assert done.returncode == 1
    assert "endpoint sagedock-churn Failed: The container did not pass the ping health check" in done.stderr
    assert "no model" in done.stderr
    assert f"sagedock delete {ENDPOINT} --on sagemaker" in done.stderr
