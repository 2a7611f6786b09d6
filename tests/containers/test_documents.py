"""SageMaker's request bodies beside each workload, against botocore's service model and against each other."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagedock import algorithms
from sagedock.cloud import requests
from sagedock.contracts import documents
from sagedock.contracts.documents import Kind
from sagedock.formats.media_types import parse_media_type

CONTAINERS = Path(__file__).parents[2] / "containers"
WORKLOADS = sorted(file.parent.name for file in CONTAINERS.glob("*/training-job.json"))
BOOSTED = ("churn", "mnist")
OPERATIONS = {
    "training-job": "CreateTrainingJob",
    "model": "CreateModel",
    "endpoint-config": "CreateEndpointConfig",
    "endpoint": "CreateEndpoint",
    "transform-job": "CreateTransformJob",
    "tuning-job": "CreateHyperParameterTuningJob",
}


def document(workload: str, name: str) -> dict[str, Any]:
    content = json.loads((CONTAINERS / workload / f"{name}.json").read_text())
    assert isinstance(content, dict)
    return content


def refused(operation: str, body: dict[str, Any]) -> str:
    """Why the service would refuse this body; empty when it would not."""
    return "\n".join(requests.faults(operation, body))


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_body_is_what_the_service_accepts(workload: str, name: str) -> None:
    """Issue item 7."""
    assert refused(OPERATIONS[name], document(workload, name)) == ""


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_body_tells_its_kind(workload: str, name: str) -> None:
    """sagedock run knows a document by its members, whatever its file is called."""
    found = documents.read(CONTAINERS / workload / f"{name}.json")
    assert found.kind.value == OPERATIONS[name]
    assert found.name == f"sagedock-{workload}"


def test_a_stream_is_another_job_of_the_same_kind() -> None:
    body = document("anomaly", "stream-training-job")
    assert refused("CreateTrainingJob", body) == ""
    given = {name: text for name, text in body["HyperParameters"].items() if name != "sagedock_algorithm"}
    assert algorithms.find("randomcutforest").hyperparameters.parse(given)["_streaming"] is True


@pytest.mark.parametrize("workload", WORKLOADS)
def test_an_endpoint_finds_its_parts_beside_it(workload: str) -> None:
    endpoint = documents.read(CONTAINERS / workload / "endpoint.json")
    [model] = documents.models(endpoint)
    assert (model.kind, model.file.name) == (Kind.MODEL, "model.json")
    assert [variant["VariantName"] for variant in documents.variants(endpoint)] == ["AllTraffic"]


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        target: Any = body
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_set("RoleArn", to="arn:aws:iam::1234:role/SageMaker"), "RoleArn"),
        (_set("TrainingJobName", to="churn_job"), "TrainingJobName"),
        (_set("TrainingJobName", to="c" * 64), "TrainingJobName"),
        (_set("AlgorithmSpecification", "TrainingImage", to="i" * 256), "TrainingImage"),
        (_set("InputDataConfig", 0, "ChannelName", to="train set"), "ChannelName"),
        (_set("InputDataConfig", 0, "DataSource", "S3DataSource", "S3DataType", to="Prefix"), "S3DataType"),
        (_set("HyperParameters", "eta", to=0.2), "eta"),
        (_set("HyperParameters", "monotone_constraints", to="1" * 2501), "monotone_constraints"),
        (_set("HyperParameters", to={str(number): "" for number in range(101)}), "HyperParameters"),
        (_set("ResourceConfig", "InstanceType", to="ml.m5.gigantic"), "InstanceType"),
        (_set("Hyperparameters", to={}), "Hyperparameters"),
    ],
)
def test_a_wrong_body_is_caught(change: Callable[[dict[str, Any]], None], expected: str) -> None:
    """The check above can fail: by pattern, upper bound, enumeration, type, unknown member (contract 1.3.1, 1.4)."""
    body = copy.deepcopy(document("churn", "training-job"))
    change(body)
    assert expected in refused("CreateTrainingJob", body)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_bodies_fit_together(workload: str) -> None:
    """The model is what the training job leaves, and endpoint and transform job use that model."""
    job, model = document(workload, "training-job"), document(workload, "model")
    left = f"{job['OutputDataConfig']['S3OutputPath']}{job['TrainingJobName']}/output/model.tar.gz"
    assert model["PrimaryContainer"]["ModelDataUrl"] == left
    assert model["PrimaryContainer"]["Image"] == job["AlgorithmSpecification"]["TrainingImage"]
    (variant,) = document(workload, "endpoint-config")["ProductionVariants"]
    assert variant["ModelName"] == document(workload, "transform-job")["ModelName"] == model["ModelName"]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_tuning_job_searches_around_the_training_job(workload: str) -> None:
    """Same data, image and metrics; what is searched is not given as well; the objective is one of the metrics."""
    job, tuning = document(workload, "training-job"), document(workload, "tuning-job")
    definition = tuning["TrainingJobDefinition"]
    for member in ("AlgorithmSpecification", "InputDataConfig", "RoleArn", "ResourceConfig"):
        assert definition[member] == job[member]
    static = definition["StaticHyperParameters"]
    searched = {found["Name"] for found in ranges(tuning)}
    assert not searched & set(static)
    assert static.items() <= job["HyperParameters"].items()
    assert set(job["HyperParameters"]) <= searched | set(static)
    objective = tuning["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"]
    assert objective in {metric["Name"] for metric in definition["AlgorithmSpecification"]["MetricDefinitions"]}


def ranges(tuning: dict[str, Any]) -> list[dict[str, str]]:
    declared = tuning["HyperParameterTuningJobConfig"]["ParameterRanges"]
    return [found for kind in declared.values() for found in kind]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_algorithm_accepts_what_the_bodies_ask_for(workload: str) -> None:
    """Hyperparameters, both ends of every searched range, content types and metric names are the algorithm's own."""
    job, tuning = document(workload, "training-job"), document(workload, "tuning-job")
    algorithm = algorithms.find(job["HyperParameters"]["sagedock_algorithm"])
    algorithm.hyperparameters.parse(job["HyperParameters"])
    for end in ("MinValue", "MaxValue"):
        sampled = {found["Name"]: found[end] for found in ranges(tuning)}
        objective = tuning["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"]
        static = tuning["TrainingJobDefinition"]["StaticHyperParameters"]
        algorithm.hyperparameters.parse({**static, **sampled, "_tuning_objective_metric": objective})
    known = {channel.name: channel for channel in algorithm.channels}
    for channel in job["InputDataConfig"]:
        essence = parse_media_type(channel["ContentType"]).essence
        assert essence in known[channel["ChannelName"]].content_types
    declared = {metric.name: metric for metric in algorithm.metrics}
    objective = tuning["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    assert declared[objective["MetricName"]].goal == objective["Type"]
    for definition in job["AlgorithmSpecification"]["MetricDefinitions"]:
        assert definition["Regex"] == declared[definition["Name"]].regex


@pytest.mark.parametrize("workload", BOOSTED)
def test_the_regexes_find_the_metrics_in_a_log_line(workload: str) -> None:
    """xgboost 29: CloudWatch shows a TAB as #011."""
    definitions = document(workload, "training-job")["AlgorithmSpecification"]["MetricDefinitions"]
    values = {definition["Name"]: f"0.{number}0000" for number, definition in enumerate(definitions, start=1)}
    line = "[9]" + "".join(f"\t{name.replace(':', '-')}:{value}" for name, value in values.items())
    shown = line.replace("\t", "#011")
    for definition in definitions:
        found = re.search(definition["Regex"], shown)
        assert found is not None, definition["Name"]
        assert found[1] == values[definition["Name"]]
