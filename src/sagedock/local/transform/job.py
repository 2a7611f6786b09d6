"""A transform job run here, from the request body of CreateTransformJob to the objects under its output path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from sagedock.contracts.documents import read_document
from sagedock.errors import UserError
from sagedock.local.model import on_this_machine
from sagedock.local.server import LocalServer
from sagedock.local.transform import document as documents
from sagedock.local.transform import parameters
from sagedock.local.transform.document import TransformJob
from sagedock.local.transform.run import Run

MOST_CONTAINERS = 15
LOST = (
    "SAGEMAKER_MULTI_MODEL",
    "SAGEMAKER_SAFE_PORT_RANGE",
    "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    "SAGEMAKER_BATCH_STRATEGY",
    "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
)
"""Variables of this shell that the server must not inherit, since the job speaks for itself."""
_FIRST_SAFE_PORT, _SAFE_PORTS = 20000, 100


def transform(
    document: Path,
    models: Sequence[Path],
    environment: Mapping[str, str],
    *,
    source: str | None = None,
    output: str | None = None,
    keep_rejects: bool = False,
) -> int:
    """Run the CreateTransformJob in `document` on `models`, several being an inference pipeline; returns 0.

    `source` and `output` take the place of S3Uri and S3OutputPath. With `keep_rejects` records that cannot be sent or
    are refused go to `<name>.rejects.jsonl`; otherwise their object fails. Raises SagedockError when the job fails,
    naming each object and line at fault; what other objects gave is published all the same.
    """
    body = read_document(document)
    job = documents.read(body, source=source, output=output)
    run = Run(job, environment, keep_rejects=keep_rejects)
    with ExitStack() as stack:
        containers = _started(job, models, environment, stack)
        run.on([container.port for container in containers], lambda: _gone(containers))
    return 0


def _started(
    job: TransformJob, models: Sequence[Path], environment: Mapping[str, str], stack: ExitStack
) -> list[LocalServer]:
    if not 1 <= len(models) <= MOST_CONTAINERS:
        raise UserError(f"{len(models)} models: a pipeline has from 1 to {MOST_CONTAINERS}", field="--model")
    inherited = {name: value for name, value in environment.items() if name not in LOST}
    variables = {**inherited, **job.environment, **parameters.platform_variables(job)}
    started = []
    for number, model in enumerate(models):
        directory = stack.enter_context(on_this_machine(str(model)))
        server = LocalServer(directory, {**variables, **_ports(number, len(models))})
        started.append(stack.enter_context(server))
    return started


def _ports(number: int, count: int) -> dict[str, str]:
    """The ports that a container of a pipeline may use beside its own (contract 3.1)."""
    first = _FIRST_SAFE_PORT + number * _SAFE_PORTS
    return {} if count == 1 else {"SAGEMAKER_SAFE_PORT_RANGE": f"{first}-{first + _SAFE_PORTS - 1}"}


def _gone(containers: Sequence[LocalServer]) -> str | None:
    ended = next((container for container in containers if not container.alive), None)
    return None if ended is None else f"the server ended during the job; its log ends: {ended.last_words}"
