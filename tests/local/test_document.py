"""What a CreateTransformJob document may say, and who decides how the work is cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagedock.errors import UserError
from sagedock.local.transform import document, parameters
from sagedock.local.transform.parameters import Parameters
from tests.local.jobs import body, job

ROOT = Path(__file__).parents[2]
MEBIBYTE = 1 << 20
OFFERED = {"MaxConcurrentTransforms": 4, "MaxPayloadInMB": 25, "BatchStrategy": "SINGLE_RECORD"}


def test_the_churn_document_is_understood() -> None:
    given = document.read(json.loads((ROOT / "containers" / "churn" / "transform-job.json").read_text()))
    assert (given.split, given.assemble, given.strategy, given.payload) == ("Line", "Line", "MultiRecord", 6)
    assert (given.timeout, given.retries, given.concurrent) == (600, 3, None)
    assert given.source.uri.endswith("/churn/test/features.csv")


def test_paths_of_the_command_take_the_place_of_addresses() -> None:
    given = document.read(body("s3://bucket/in", "s3://bucket/out"), source="here", output="there")
    assert (given.source.uri, given.output) == ("here", "there")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"SplitType": "TFRecord"}, r"TransformInput\.SplitType is 'TFRecord', which no algorithm here reads"),
        (
            {"SplitType": "line"},
            r"TransformInput\.SplitType is 'line': it must be one of None, Line, RecordIO, TFRecord",
        ),
        ({"AssembleWith": "RecordIO"}, r"TransformOutput\.AssembleWith is 'RecordIO': it must be one of None, Line"),
        ({"CompressionType": "Bzip2"}, r"TransformInput\.CompressionType is 'Bzip2': it must be one of None, Gzip"),
        ({"S3DataType": "AugmentedManifestFile"}, r"S3DataType is 'AugmentedManifestFile': it must be one of"),
        (
            {"BatchStrategy": "MULTI_RECORD"},
            "BatchStrategy is 'MULTI_RECORD': it must be one of MultiRecord, SingleRecord",
        ),
        ({"MaxPayloadInMB": 101}, "MaxPayloadInMB is 101: it must be a whole number from 0 to 100"),
        ({"MaxPayloadInMB": "6"}, "MaxPayloadInMB is '6': it must be a whole number"),
        ({"MaxConcurrentTransforms": True}, "MaxConcurrentTransforms is True: it must be a whole number"),
        (
            {"MaxConcurrentTransforms": 20, "MaxPayloadInMB": 6},
            "20 times MaxPayloadInMB 6 is 120: SageMaker allows 100",
        ),
        ({"ModelClientConfig": {"InvocationsMaxRetries": 4}}, r"ModelClientConfig\.InvocationsMaxRetries is 4"),
        ({"ModelClientConfig": {"InvocationsTimeoutInSeconds": 0}}, "it must be a whole number from 1 to 3600"),
        ({"ModelClientConfig": []}, "ModelClientConfig is .*: it must be a JSON object"),
        ({"Environment": {"A": 1}}, "Environment.A is 1: it must be text"),
        ({"Environment": {"A=B": "x"}}, "Environment: 'A=B' is no name of a variable"),
        ({"Environment": {"A": "x\0"}}, "Environment.A holds a NUL character"),
        (
            {"Environment": {str(number): "x" for number in range(17)}},
            "Environment has 17 entries: SageMaker allows 16",
        ),
        (
            {"DataCaptureConfig": {"DestinationS3Uri": "s3://b"}, "Unknown": 1},
            "cannot honour DataCaptureConfig, Unknown",
        ),
        ({"JoinSource": "Output"}, r"DataProcessing\.JoinSource is 'Output'"),
        (
            {"JoinSource": "Input", "Accept": "application/json"},
            r"TransformOutput\.Accept 'application/json' must be the type",
        ),
        ({"JoinSource": "Input", "AssembleWith": "None"}, r"TransformOutput\.AssembleWith 'None' must be the same"),
        ({"JoinSource": "Input", "SplitType": "None", "AssembleWith": "None"}, r"SplitType to be Line, not 'None'"),
        ({"InputFilter": "$[0]", "ContentType": "text/libsvm"}, r"needs TransformInput\.ContentType to be text/csv"),
        ({"InputFilter": "$[0]", "SplitType": "RecordIO"}, "SplitType to be Line, not 'RecordIO'"),
        ({"OutputFilter": "$[0]", "Accept": ""}, r"needs TransformOutput\.Accept to be .* not absent"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(given: dict[str, Any], reason: str) -> None:
    """Contract 4.1 to 4.6: the field, its value and what is allowed."""
    with pytest.raises(UserError, match=reason) as caught:
        job(**given)
    assert caught.value.field


def test_nested_fields_are_listed_with_their_path() -> None:
    content = body("in", "out")
    content["TransformOutput"]["KmsKeyId"] = "key"
    content["TransformInput"]["DataSource"]["S3DataSource"]["Version"] = "1"
    with pytest.raises(
        UserError, match=r"TransformInput\.DataSource\.S3DataSource\.Version, TransformOutput\.KmsKeyId"
    ):
        document.read(content)


@pytest.mark.parametrize("missing", ["S3OutputPath", "S3Uri"])
def test_addresses_are_needed(missing: str) -> None:
    content = body("in", "out")
    content["TransformOutput"].pop(missing, None)
    content["TransformInput"]["DataSource"]["S3DataSource"].pop(missing, None)
    with pytest.raises(UserError, match=f"{missing} is missing"):
        document.read(content)


@pytest.mark.parametrize(
    ("given", "offered", "expected"),
    [
        ({}, {}, (1, "MultiRecord", 6)),
        ({}, OFFERED, (4, "SingleRecord", 25)),
        ({}, {"MaxConcurrentTransforms": "4", "MaxPayloadInMB": None, "BatchStrategy": 1}, (1, "MultiRecord", 6)),
        ({}, {"BatchStrategy": "SingleRecord"}, (1, "SingleRecord", 6)),
        ({"MaxConcurrentTransforms": 2, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 1},
         OFFERED, (2, "MultiRecord", 1)),
        ({"MaxConcurrentTransforms": 0}, {"MaxConcurrentTransforms": 4}, (4, "MultiRecord", 6)),
        ({"MaxPayloadInMB": 50}, {"MaxConcurrentTransforms": 4}, (2, "MultiRecord", 50)),
        ({"MaxConcurrentTransforms": 50}, {"MaxPayloadInMB": 25}, (50, "MultiRecord", 2)),
        ({"MaxPayloadInMB": 0}, {"MaxConcurrentTransforms": 4}, (4, "MultiRecord", None)),
        ({}, {"MaxConcurrentTransforms": 0, "MaxPayloadInMB": 900}, (1, "MultiRecord", 100)),
    ],
)  # fmt: skip
def test_the_user_then_the_container_then_the_default(
    given: dict[str, Any], offered: dict[str, Any], expected: tuple[int, str, int | None]
) -> None:
    """Contract 4.2: precedence, and concurrency times payload at most 100 MB."""
    concurrent, strategy, payload = expected
    bytes_ = None if payload is None else payload * MEBIBYTE
    assert parameters.resolve(job(**given), offered) == Parameters(concurrent, strategy, bytes_)


def test_the_container_is_told_what_the_user_set() -> None:
    """Contract 4.1: a variable for each value set, and SAGEMAKER_BATCH always."""
    assert parameters.platform_variables(job()) == {"SAGEMAKER_BATCH": "true"}
    given = job(MaxPayloadInMB=0, BatchStrategy="SingleRecord", MaxConcurrentTransforms=3)
    assert parameters.platform_variables(given) == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
    }
