"""The objects of a job sent through containers that are up: what is the same wherever those run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sagedock.errors import PlatformError, SagedockError, UserError
from sagedock.local.transform import parameters
from sagedock.local.transform.bucket import is_s3
from sagedock.local.transform.client import Client
from sagedock.local.transform.document import TransformJob
from sagedock.local.transform.flow import Flow
from sagedock.local.transform.objects import InputObject, listed
from sagedock.local.transform.outputs import Destination, destination
from sagedock.local.transform.pipeline import Pipeline
from sagedock.local.transform.processing import DataProcessor
from sagedock.local.transform.progress import Progress
from sagedock.local.transform.work import Plan, Work


class Run:
    """A job whose filters and objects are known to be there, ready to be sent.

    Raises UserError when a filter is outside what is documented, or nothing lies at S3Uri.
    """

    def __init__(self, job: TransformJob, environment: Mapping[str, str], *, keep_rejects: bool = False) -> None:
        self._job = job
        self._environment = environment
        self._keep_rejects = keep_rejects
        self._processor = DataProcessor(job)
        self._items = listed(job.source)

    def on(self, ports: Sequence[int], gone: Callable[[], str | None] = lambda: None) -> None:
        """Send every object through the containers that listen on `ports`; `gone` tells why there are none any more.

        Raises SagedockError naming each object and line at fault; what other objects gave is published all the same.
        """
        job = self._job
        clients = [Client(port, job.timeout, job.retries) for port in ports]
        pipeline = Pipeline(clients, job.content_type, job.accept)
        chosen = parameters.resolve(job, pipeline.execution_parameters())
        self._refuse_rejects_without_limit(chosen)
        with tempfile.TemporaryDirectory(prefix="sagedock-transform-") as scratch:
            target = destination(job.output, Path(scratch))
            _refuse_overwriting(self._items, target)
            plan = Plan(job, chosen, self._processor, target, Path(scratch), self._keep_rejects)
            works = [Work(item, plan, number) for number, item in enumerate(self._items)]
            progress = Progress.by(self._environment, sum(item.size for item in self._items))
            try:
                with Flow(pipeline, chosen.concurrent, progress, gone) as flow:
                    flow.transform(works, divide=self._keep_rejects)
            finally:
                progress.close()
        _report(works, progress, target)

    def _refuse_rejects_without_limit(self, chosen: parameters.Parameters) -> None:
        if self._keep_rejects and chosen.payload_bytes is None and not chosen.single and self._job.split != "None":
            raise UserError(
                "MaxPayloadInMB 0 sends an object as one request, in which no record can be rejected: set it to 1 or "
                "more, or BatchStrategy to SingleRecord",
                field="MaxPayloadInMB",
            )


def _refuse_overwriting(items: Sequence[InputObject], target: Destination) -> None:
    inputs = {_real(item.address) for item in items}
    for item in items:
        for name in (f"{item.name}.out", f"{item.name}.rejects.jsonl"):
            if _real(target.address(name)) in inputs:
                message = f"the output of {item.address} would replace the input {target.address(name)}"
                raise UserError(f"{message}: choose another output path", field="S3OutputPath")


def _real(address: str) -> str:
    return address if is_s3(address) else str(Path(address).resolve())


def _report(works: Sequence[Work], progress: Progress, target: Destination) -> None:
    errors = [work.error for work in works if work.error is not None]
    finished = sum(work.finished for work in works)
    sys.stderr.write(f"{progress.summary(finished, len(works))}\noutput  {target.address('')}\n")
    if errors:
        kind: type[SagedockError] = (
            UserError if any(isinstance(error, UserError) for error in errors) else PlatformError
        )
        raise kind("\n".join([f"the transform job failed: {len(errors)} of {len(works)} objects", *map(str, errors)]))
