"""A training job run here, as a process, from the request body that SageMaker would get."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sagedock.local import base as platform

LOST = ("SAGEDOCK_ALGORITHM", "SAGEMAKER_BASE_DIR", "SAGEMAKER_PROGRAM")
"""Variables of this shell that a job must not inherit, since its document speaks for itself."""


def train(document: Path, base: Path, channels: Mapping[str, Path], environment: Mapping[str, str]) -> int:
    """Run the CreateTrainingJob in `document` below `base` and return the exit code of `sagedock train`.

    `channels` gives directories here in place of S3 addresses. The job's Environment is set on top of `environment`.
    Raises UserError when the document or a channel cannot be used.
    """
    body = platform.read_document(document)
    paths = platform.build(body, base, channels)
    inherited = {name: value for name, value in environment.items() if name not in LOST}
    job = {**body.get("Environment", {}), "TRAINING_JOB_NAME": str(body.get("TrainingJobName", "local"))}
    variables = {**inherited, **job, "SAGEMAKER_BASE_DIR": str(base)}
    code = subprocess.run([sys.executable, "-m", "sagedock", "train"], env=variables, check=False).returncode
    if code == 0:
        sys.stderr.write(
            f"model   {paths.model}\nreport  {paths.output_data / 'report.html'}\n"
            f"serve   sagedock serve --base {base}\n"
        )
    return code
