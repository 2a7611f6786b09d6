"""The Docker engine of this machine, through the package `docker` (the extra `local`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sagedock.errors import PlatformError, UserError

EXTRA = "the package docker is not installed; it is the extra `local`: pip install 'sagedock[local]'"
DOCUMENT_LABEL = "sagedock.document"
"""Says of a container which document it belongs to: operation/name."""


@contextmanager
def connected(environment: Mapping[str, str]) -> Iterator[Any]:
    """A client of the engine that `environment` names; raises PlatformError without package or engine."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError as error:
        raise PlatformError(EXTRA) from error
    try:
        client = docker.from_env(environment=dict(environment))
        client.ping()
    except DockerException as error:
        raise PlatformError(
            f"no Docker engine answers ({error}): start it, let this user use it, or run with --on process"
        ) from error
    try:
        yield client
    finally:
        client.close()


def require_image(client: Any, image: str) -> None:
    """Raise UserError unless the engine has the image: nothing is pulled behind anybody's back."""
    from docker.errors import ImageNotFound

    try:
        client.images.get(image)
    except ImageNotFound as error:
        raise UserError(
            f"the image {image} is not on this machine: build it (scripts/build cpu) and give --image sagedock:cpu, or "
            f"fetch it with docker pull {image}",
            field="--image",
        ) from error
