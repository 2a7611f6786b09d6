"""POST /invocations as a pure function: bytes, content type and accept in, bytes and content type out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from sagedock.algorithm import Algorithm, Model, Records
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import responses
from sagedock.formats.media_types import CSV, JSON_LINES, MediaType, negotiate, parse_media_type
from sagedock.serving.answer import Answer

_HEADERS_KEPT = 256
ROWS_AT_ONCE = 20_000
"""An answer of more rows goes out in pieces, where its type is made of lines."""
AT_ONCE_BYTES = 256 * 1024
"""A larger body goes the long way, whose answer comes in pieces."""
_LINED = (CSV, JSON_LINES)

Direct = Callable[[str, str], Callable[[bytes], bytes | None] | None]


def invoke(
    model: Model[Any],
    algorithm: Algorithm,
    body: bytes,
    content_type: str | None,
    accept: str | None,
    *,
    default_accept: str | None = None,
) -> Answer:
    """Answer one request; `default_accept` is what `*/*` or no Accept means, where the deployer said so.

    Checks run in the order of SageMaker's own container: empty body (204), content type, content, accept. An algorithm
    may take an empty body for content that is wrong.
    Raises UnsupportedMediaType, UserError or NotAcceptable.
    """
    if not body and not algorithm.refuses_empty_bodies:
        return Answer(HTTPStatus.NO_CONTENT)
    default = default_accept or algorithm.default_response_type
    at_once = _answered_at_once(model, algorithm, body, content_type, accept, default)
    if at_once is not None:
        return at_once
    media_type = _request_type(algorithm, content_type)
    try:
        records = model.read(body, media_type)
    except UserError as error:
        if content_type:
            raise
        reason = f"{error}; the request has no Content-Type and was read as {media_type.essence}: name its type"
        raise UserError(reason, field=error.field, row=error.row) from error
    offered = tuple(algorithm.response_types)
    essence = media_type.essence if algorithm.answers_in_kind else _negotiated(accept, offered, default)
    if records.rows > ROWS_AT_ONCE and essence in _LINED:
        pieces = _pieces(model, records, essence)
        return Answer(HTTPStatus.OK, next(pieces), essence, pieces)
    return Answer(HTTPStatus.OK, responses.encode(model.predict(records), essence), essence)


def _pieces(model: Model[Any], records: Records, essence: str) -> Iterator[bytes]:
    """The answer some records at a time; together the pieces are what all of them at once would get."""
    for begin in range(0, records.rows, ROWS_AT_ONCE):
        yield responses.encode(model.predict(records.part(begin, begin + ROWS_AT_ONCE)), essence)


def _answered_at_once(
    model: Model[Any], algorithm: Algorithm, body: bytes, content_type: str | None, accept: str | None, default: str
) -> Answer | None:
    """The answer by a model that makes it of the body in one step; None where it has no such way, or not for this."""
    direct: Direct | None = getattr(model, "direct", None)
    if direct is None or len(body) > AT_ONCE_BYTES:
        return None
    offered = None if algorithm.answers_in_kind else tuple(algorithm.response_types)
    types = _plain_types(content_type or algorithm.default_request_type, accept, offered, default)
    answer = direct(*types) if types else None
    found = answer(body) if answer else None
    return Answer(HTTPStatus.OK, found, types[1]) if types and found is not None else None


@lru_cache(_HEADERS_KEPT)
def _plain_types(
    content_type: str, accept: str | None, offered: tuple[str, ...] | None, default: str
) -> tuple[str, str] | None:
    """The types of request and answer where no parameter says more; what is refused is refused later, in its order.

    Without `offered` the answer has the type of the request.
    """
    try:
        media_type = parse_media_type(content_type)
        response_type = media_type.essence if offered is None else negotiate(accept, offered, default)
    except UserError:
        return None
    return None if media_type.parameters else (media_type.essence, response_type)


@lru_cache(_HEADERS_KEPT)
def _media_type(text: str) -> MediaType:
    """Clients send the same header again and again."""
    return parse_media_type(text)


@lru_cache(_HEADERS_KEPT)
def _negotiated(accept: str | None, offered: tuple[str, ...], default: str) -> str:
    return negotiate(accept, offered, default)


def _request_type(algorithm: Algorithm, content_type: str | None) -> MediaType:
    media_type = _media_type(content_type or algorithm.default_request_type)
    if not algorithm.accepts(media_type):
        raise UnsupportedMediaType(
            f"Content-Type {content_type!r} is not supported; {algorithm.name} reads "
            f"{', '.join(algorithm.request_types)}",
            field="Content-Type",
        )
    return media_type
