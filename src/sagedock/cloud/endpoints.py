"""Endpoints on SageMaker: model, configuration and endpoint, made in order and taken away in the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sagedock.cloud.api import Api
from sagedock.cloud.logs import GROUPS, Log
from sagedock.contracts.documents import Document, Kind, models, required
from sagedock.errors import PlatformError, UserError

LAST_LINES = 50
_CONTENT = {Kind.MODEL: "PrimaryContainer", Kind.ENDPOINT_CONFIG: "ProductionVariants"}
"""What makes a model or configuration the one that a document describes."""


def parts(document: Document) -> list[Document]:
    """The documents of an endpoint in the order of creation: models, configuration, endpoint.

    A model's is itself alone, and a configuration has its models before it.
    """
    found = [*models(document)]
    if document.kind is Kind.ENDPOINT:
        found.append(required(document, Kind.ENDPOINT_CONFIG, str(document.body.get("EndpointConfigName"))))
    return found if document.kind is Kind.MODEL else [*found, document]


def create(api: Api, documents: Sequence[Document]) -> None:
    """Create what is not there; raises UserError for a name that is taken by something else."""
    for document in documents:
        found = api.describe(document.kind, document.name)
        if found is None:
            api.create(document)
            sys.stderr.write(f"created the {document.kind.noun} {document.name}\n")
        elif document.kind in _CONTENT:
            _require_same(document, found)
            sys.stderr.write(f"the {document.kind.noun} {document.name} is there already\n")


def _require_same(document: Document, found: Mapping[str, Any]) -> None:
    member = _CONTENT[document.kind]
    if not _covers(found.get(member), document.body.get(member)):
        raise UserError(
            f"the {document.kind.noun} {document.name} exists and differs from {document.file} in {member}: delete "
            f"it (sagedock delete {document.file} --on sagemaker), or choose another name",
            field=document.kind.name_field,
        )


def _covers(found: Any, wanted: Any) -> bool:
    """Whether all that is wanted was found; SageMaker adds defaults to what it was given."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(_covers(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_covers, found, wanted))
    return bool(found == wanted)


def wait(api: Api, logs: Any, name: str, poll_seconds: float) -> None:
    """Wait until the endpoint is in service; raises PlatformError with its failure reason and the end of its log."""
    shown = ""
    while True:
        found = api.describe(Kind.ENDPOINT, name)
        if found is None:
            raise UserError(f"there is no endpoint named {name}: run it without --attach")
        status = str(found["EndpointStatus"])
        if status != shown:
            sys.stderr.write(f"{name}: {status}\n")
            shown = status
        if status == "InService":
            return
        if status in {"Failed", "OutOfService", "UpdateRollbackFailed"}:
            raise PlatformError(_failure(name, found, logs))
        time.sleep(poll_seconds)


def _failure(name: str, found: Mapping[str, Any], logs: Any) -> str:
    lines = list(Log(logs, f"{GROUPS['Endpoint']}/{name}", "").new_lines())[-LAST_LINES:]
    told = "".join(f"\n    {line}" for line in lines)
    reason = found.get("FailureReason") or "SageMaker gives no reason"
    return f"endpoint {name} {found['EndpointStatus']}: {reason}" + (f"; the end of its log:{told}" if told else "")


def invitation(name: str, region: str) -> str:
    """How to ask an endpoint."""
    return (
        f"endpoint {name} is in service. Ask it:\n"
        f"  aws sagemaker-runtime invoke-endpoint --region {region} --endpoint-name {name} \\\n"
        "    --content-type text/csv --body fileb://FILE /dev/stdout\n"
    )


def delete(api: Api, documents: Sequence[Document], poll_seconds: float) -> None:
    """Delete what is there of these, the last first, each gone before the next; says what it did."""
    for document in reversed(documents):
        if api.describe(document.kind, document.name) is None:
            sys.stdout.write(f"there is no {document.kind.noun} {document.name}\n")
            continue
        api.delete(document.kind, document.name)
        while document.kind is Kind.ENDPOINT and api.describe(document.kind, document.name) is not None:
            time.sleep(poll_seconds)
        sys.stdout.write(f"deleted the {document.kind.noun} {document.name}\n")
