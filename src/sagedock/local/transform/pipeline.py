"""The containers of a model in a row: what one answers the next is asked (developer guide, inference pipelines)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sagedock.local.transform.client import Body, Client, Reply

ANY = "*/*"


class Pipeline:
    """One container, or several of which each is fed with body and Content-Type of the one before."""

    def __init__(self, clients: Sequence[Client], content_type: str | None, accept: str | None) -> None:
        """`content_type` is for the first container, `accept` for the last; those between may answer what they like."""
        self._clients = clients
        self._content_type, self._accept = content_type, accept

    def invoke(self, body: Body, *, patient: bool = True) -> Reply:
        """The reply of the last container, or of the first that fails."""
        content_type = self._content_type
        for client in self._clients:
            accept = self._accept if client is self._clients[-1] else ANY
            reply = client.invoke(body, content_type, accept, patient=patient)
            if not reply.good:
                break
            content_type = reply.content_type
            body = reply.whole
        return reply

    def execution_parameters(self) -> Mapping[str, Any]:
        """What the first container advises, since it gets the requests."""
        return self._clients[0].execution_parameters()

    def close(self) -> None:
        """End all retries."""
        for client in self._clients:
            client.close()
