"""What goes back to an HTTP client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """`content_type` is None when there is no body."""

    status: int
    body: bytes = b""
    content_type: str | None = None
