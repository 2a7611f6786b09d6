"""What an HTTP client is told of an error: the one table of status codes, and the JSON body."""

from __future__ import annotations

import json
from http import HTTPStatus

from sagedock.errors import (
    AlgorithmError,
    AlreadyLoaded,
    InsufficientResources,
    ModelError,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    PlatformError,
    SagedockError,
    UnsupportedMediaType,
    UserError,
)

STATUSES: tuple[tuple[type[SagedockError], HTTPStatus], ...] = (
    (UnsupportedMediaType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (NotAcceptable, HTTPStatus.NOT_ACCEPTABLE),
    (PayloadTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (NotFound, HTTPStatus.NOT_FOUND),
    (AlreadyLoaded, HTTPStatus.CONFLICT),
    (UserError, HTTPStatus.BAD_REQUEST),
    (ModelError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (InsufficientResources, HTTPStatus.INSUFFICIENT_STORAGE),
    (PlatformError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (AlgorithmError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
"""The first class that fits decides."""

JSON = "application/json"
LONGEST_MESSAGE = 600
INTERNAL = "the server could not answer this request; its log says why"


def status_of(error: Exception) -> HTTPStatus:
    """The status for `error`: the table's, or 500 for whatever was not raised on purpose."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def code_of(status: int) -> str:
    """The `code` member of an error body: the status's standard phrase in snake case, `unsupported_media_type`."""
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")


def body(status: int, message: str, field: str | None = None, row: int | None = None) -> bytes:
    """The JSON document of an error, the same for every status; `message` is cut to a readable length."""
    short = message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
    error = {"code": code_of(status), "message": short, "field": field, "row": row}
    return json.dumps({"error": error}, ensure_ascii=False).encode() + b"\n"


def body_of(error: Exception) -> bytes:
    """The JSON document for `error`; the text of an unforeseen one stays in the log."""
    status = status_of(error)
    if isinstance(error, UserError):
        return body(status, str(error), error.field, error.row)
    return body(status, str(error) if isinstance(error, SagedockError) else INTERNAL)
