"""CreateTransformJob documents for tests, and `sagedock transform` as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagedock.local.transform import document
from sagedock.local.transform.document import TransformJob
from sagedock.local.transform.run import Run
from tests.local.foreign import Foreign

PATIENCE_SECONDS = 300


def body(source: Path | str, output: Path | str, **given: Any) -> dict[str, Any]:
    """A request body; `given` are its fields, those of TransformInput and the like by their name alone."""
    asked = {key: given.pop(key) for key in ("ContentType", "SplitType", "CompressionType") if key in given}
    wanted = {key: given.pop(key) for key in ("Accept", "AssembleWith") if key in given}
    processing = {key: given.pop(key) for key in ("InputFilter", "OutputFilter", "JoinSource") if key in given}
    kind = given.pop("S3DataType", "S3Prefix")
    return {
        "TransformJobName": "test",
        "ModelName": "test",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": str(source)}},
            "ContentType": "text/csv",
            "SplitType": "Line",
            **asked,
        },
        "TransformOutput": {"S3OutputPath": str(output), "Accept": "text/csv", "AssembleWith": "Line", **wanted},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **({"DataProcessing": processing} if processing else {}),
        **given,
    }


def job(source: Path | str = "in", output: Path | str = "out", **given: Any) -> TransformJob:
    """The typed job of such a body."""
    return document.read(body(source, output, **given))


def run_on(container: Foreign, source: Path | str, output: Path | str, *, rejects: bool = False, **given: Any) -> None:
    """Transform `source` with a container that is up already."""
    Run(job(source, output, **given), {}, keep_rejects=rejects).on([container.port])


def command(directory: Path, content: Mapping[str, Any], model: Path, *arguments: str) -> list[str]:
    """The command line for a document, which is written to `directory`."""
    file = directory / "transform-job.json"
    file.write_text(json.dumps(content))
    return [sys.executable, "-m", "sagedock", "transform", str(file), "--model", str(model), *arguments]


def variables(**given: str) -> dict[str, str]:
    """An environment without AWS's and SageMaker's variables."""
    dropped = ("AWS_", "SAGEMAKER", "SAGEDOCK")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**inherited, "SAGEMAKER_MODEL_SERVER_WORKERS": "1", **given}


def transform(
    directory: Path, content: Mapping[str, Any], model: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `sagedock transform` to its end."""
    return subprocess.run(
        command(directory, content, model, *arguments),
        env=variables(**environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
