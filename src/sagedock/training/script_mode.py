"""Script mode: a user's own training script, run by the SageMaker training toolkit instead of an algorithm here."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

from sagedock.contracts.files import make_directory
from sagedock.contracts.paths import Paths
from sagedock.contracts.training import TrainingJob
from sagedock.errors import PlatformError

log = logging.getLogger(__name__)

HYPERPARAMETER = "sagemaker_program"
VARIABLE = "SAGEMAKER_PROGRAM"
_START = "from sagemaker_training.cli.train import main; main()"


def program(job: TrainingJob, environment: Mapping[str, str]) -> str | None:
    """The user's entry point, bare or quoted, by hyperparameter or environment variable; None when there is none."""
    given = job.hyperparameters.get(HYPERPARAMETER) or environment.get(VARIABLE) or ""
    return str(given).strip().strip('"').strip() or None


def hand_over(entry_point: str, job: TrainingJob, paths: Paths, environment: Mapping[str, str]) -> NoReturn:
    """Become the SageMaker training toolkit, which keeps this process id, its signals and its exit code.

    The toolkit waits up to 15 minutes for every host's name to resolve. A job of one host has nobody to wait for, and
    with no network its own name never resolves: then the wait is left out, by the variable that SageMaker Studio sets.
    The directories are made here, since the toolkit exits with 0 when it cannot write its failure file (5.1.4).
    Raises PlatformError when the toolkit is not installed.
    """
    if importlib.util.find_spec("sagemaker_training") is None:
        raise PlatformError(
            f"sagemaker_program is {entry_point!r}, but the package sagemaker-training is not installed: use the "
            "image, or install sagedock with the extra script-mode"
        )
    for directory in (paths.model, paths.output_data):
        make_directory(directory)
    log.info("script mode: handing over to sagemaker-training for %s", entry_point)
    sys.stdout.flush()
    alone = {"SM_STUDIO_LOCAL_MODE": "true"} if len(job.hosts) == 1 else {}
    os.execve(sys.executable, [sys.executable, "-c", _START], {**environment, **alone})  # noqa: S606
