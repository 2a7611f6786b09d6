"""Documents run on SageMaker: the place `sagemaker` of sagedock run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sagedock.cloud import endpoints, jobs, placement, requests
from sagedock.cloud.api import STATUS_FIELDS, Api
from sagedock.cloud.aws import Account
from sagedock.cloud.jobs import Follower
from sagedock.cloud.storage import Storage
from sagedock.contracts.documents import Document, Kind, RunOptions
from sagedock.contracts.exits import INTERRUPTED
from sagedock.errors import SagedockError, UserError
from sagedock.job_log import JobLog
from sagedock.progress import Progress

JOBS = (Kind.TRAINING, Kind.TRANSFORM, Kind.TUNING)


def run(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    """Create what a document describes, wait for it, and return the exit code.

    Nothing is sent before every request was checked. Raises UserError for what SageMaker would refuse or refuses.
    """
    account = Account(options.region)
    if document.kind in JOBS:
        return _run_job(_checked(document, options, account), options, account, environment)
    return _run_endpoint([_checked(part, options, account) for part in endpoints.parts(document)], options, account)


def delete(document: Document, options: RunOptions, _environment: Mapping[str, str]) -> int:
    """Stop a job, or delete an endpoint with its configuration and models; what is not there is no error."""
    api = Api(Account(options.region).client("sagemaker"))
    if document.kind in JOBS:
        _stop(api, document)
    else:
        endpoints.delete(api, endpoints.parts(document), options.poll_seconds)
    return 0


def _checked(document: Document, options: RunOptions, account: Account) -> Document:
    changed = placement.overridden(document, options)
    requests.check(changed.kind.value, changed.body, str(changed.file))
    return placement.placed(changed, account)


def _run_job(document: Document, options: RunOptions, account: Account, environment: Mapping[str, str]) -> int:
    api, storage = Api(account.client("sagemaker")), Storage(account.client("s3"))
    if not options.attach:
        remedy = "choose another name with --name, or follow that one with --attach"
        api.refuse_existing(document, remedy)
        _require_model(api, document)
        jobs.upload_channels(document, options, storage)
        api.create(document)
    log = JobLog(Progress.by(environment), document.body.get("HyperParameters") or {})
    follower = Follower(api, account.client("logs"), log, options.poll_seconds)
    with _going_on(document):
        try:
            found = follower.follow(document)
        finally:
            log.close()
        code = jobs.tell(document, found, log)
        if options.output is not None:
            for file in jobs.fetch(document, found, storage, options.output):
                sys.stderr.write(f"fetched {file}\n")
    return code


def _require_model(api: Api, document: Document) -> None:
    name = str(document.body.get("ModelName"))
    if document.kind is Kind.TRANSFORM and api.describe(Kind.MODEL, name) is None:
        beside = document.beside(Kind.MODEL, name)
        raise UserError(
            f"there is no model {name}: create it first, with sagedock run {beside.file if beside else 'MODEL.json'} "
            "--on sagemaker",
            field="ModelName",
        )


def _run_endpoint(documents: list[Document], options: RunOptions, account: Account) -> int:
    last = documents[-1]
    api = Api(account.client("sagemaker"))
    if last.kind is Kind.ENDPOINT and not options.attach:
        api.refuse_existing(last, "delete it, choose another name with --name, or wait for that one with --attach")
    with _going_on(last):
        if not options.attach:
            endpoints.create(api, documents)
        if last.kind is Kind.ENDPOINT:
            endpoints.wait(api, account.client("logs"), last.name, options.poll_seconds)
            sys.stderr.write(endpoints.invitation(last.name, str(account.session.region_name)))
    return 0


@contextmanager
def _going_on(document: Document) -> Iterator[None]:
    """When what is inside is cut short, what was created is there still: say how to go on and how to end it."""
    try:
        yield
    except (KeyboardInterrupt, SagedockError) as error:
        named = f"{document.file} --on sagemaker --name {document.name}"
        sys.stderr.write(
            f"\n{document.kind.noun} {document.name} may be there still. Go on:  sagedock run {named} --attach\n"
            f"End it:  sagedock delete {named}\n"
        )
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(INTERRUPTED) from error
        raise


def _stop(api: Api, document: Document) -> None:
    found = api.describe(document.kind, document.name)
    if found is None:
        sys.stdout.write(f"there is no {document.kind.noun} {document.name}\n")
        return
    status = found[STATUS_FIELDS[document.kind]]
    if status == "InProgress":
        api.stop(document.kind, document.name)
        sys.stdout.write(f"stopping the {document.kind.noun} {document.name}; SageMaker keeps its record\n")
    else:
        sys.stdout.write(f"the {document.kind.noun} {document.name} is {status}: nothing runs; its record stays\n")
