"""ECR: repositories and the right to push to them (Amazon ECR API)."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass
from typing import Any

from sagedock.cloud.aws import asking
from sagedock.cloud.images import Credentials

IMMUTABLE = "IMMUTABLE"


@dataclass(frozen=True)
class Repository:
    """A repository: `registry` is the host to push to, `name` what follows it."""

    registry: str
    name: str


def repository(client: Any, name: str, account: str | None) -> Repository:
    """The repository of that name, made with immutable tags and a scan on push when there is none.

    `account` is another account's number; None is the caller's. Raises UserError when AWS refuses.
    """
    owner = {"registryId": account} if account else {}
    with asking(f"looking for the ECR repository {name}"):
        try:
            (found,) = client.describe_repositories(repositoryNames=[name], **owner)["repositories"]
        except client.exceptions.RepositoryNotFoundException:
            found = _create(client, name, owner)
    if found.get("imageTagMutability") != IMMUTABLE:
        sys.stderr.write(f"the repository {name} lets tags be overwritten: use digests, or make its tags immutable\n")
    return Repository(str(found["repositoryUri"]).partition("/")[0], name)


def _create(client: Any, name: str, owner: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = client.create_repository(
        repositoryName=name,
        imageTagMutability=IMMUTABLE,
        imageScanningConfiguration={"scanOnPush": True},
        **owner,
    )["repository"]
    sys.stderr.write(f"made the ECR repository {name}: immutable tags, scan on push\n")
    return made


def credentials(client: Any) -> Credentials:
    """A user and password that the registry takes for twelve hours; raises UserError when AWS refuses."""
    with asking("asking for the right to push (ecr:GetAuthorizationToken)"):
        (granted,) = client.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    return Credentials(user, password)
