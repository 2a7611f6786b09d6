"""Documents put into an account: the example account and region of the documents stand for the caller's."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sagedock.cloud.aws import Account
from sagedock.contracts.documents import Document, Kind, RunOptions

EXAMPLE_ACCOUNT = "111122223333"
"""AWS reserves this number for examples: it is nobody's account."""
_REGION = re.compile(r"(?<![a-z])(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-gov)?-[a-z]+-\d(?!\d)")


def placed(document: Document, account: Account) -> Document:
    """The document with the example account replaced by the caller's, and the region beside it by the one in use."""
    if EXAMPLE_ACCOUNT not in str(document.body):
        return document
    number, region = account.number, str(account.session.region_name)

    def replaced(text: str) -> str:
        if EXAMPLE_ACCOUNT not in text:
            return text
        return _REGION.sub(region, text.replace(EXAMPLE_ACCOUNT, number))

    sys.stderr.write(f"{document.file}: account {EXAMPLE_ACCOUNT} stands for {number}, its region for {region}\n")
    body: Mapping[str, Any] = _mapped(document.body, replaced)
    return replace(document, body=body)


def overridden(document: Document, options: RunOptions) -> Document:
    """The document with what the command line says instead: image, role and place of the model."""
    body: dict[str, Any] = dict(document.body)
    if document.kind is Kind.TUNING:
        definition = _training(body.get("TrainingJobDefinition") or {}, options)
        return replace(document, body={**body, "TrainingJobDefinition": definition} if definition else body)
    if document.kind is Kind.TRAINING:
        return replace(document, body=_training(body, options))
    if document.kind is Kind.MODEL and (options.image or options.model):
        given = {"Image": options.image, "ModelDataUrl": options.model}
        container = {**body.get("PrimaryContainer", {}), **{name: text for name, text in given.items() if text}}
        body["PrimaryContainer"] = container
    if document.kind is Kind.MODEL and options.role:
        body["ExecutionRoleArn"] = options.role
    return replace(document, body=body)


def _training(body: Mapping[str, Any], options: RunOptions) -> dict[str, Any]:
    changed = dict(body)
    if options.image:
        changed["AlgorithmSpecification"] = {**body.get("AlgorithmSpecification", {}), "TrainingImage": options.image}
    if options.role:
        changed["RoleArn"] = options.role
    return changed


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _mapped(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return change(value) if isinstance(value, str) else value
