"""POST /invocations as a pure function: bytes, content type and accept in, bytes and content type out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from http import HTTPStatus

from sagedock.algorithm import Algorithm, Model
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import requests, responses
from sagedock.formats.media_types import CSV, JSON_LINES, MediaType, negotiate, parse_media_type
from sagedock.formats.table import Table
from sagedock.serving.answer import Answer

_HEADERS_KEPT = 256
ROWS_AT_ONCE = 20_000
"""An answer of more rows goes out in pieces, where its type is made of lines."""
AT_ONCE_BYTES = 256 * 1024
"""A larger body goes the long way, whose answer comes in pieces."""
_LINED = (CSV, JSON_LINES)


def invoke(
    model: Model,
    algorithm: Algorithm,
    body: bytes,
    content_type: str | None,
    accept: str | None,
    *,
    default_accept: str | None = None,
) -> Answer:
    """Answer one request; `default_accept` is what `*/*` or no Accept means, where the deployer said so.

    Checks run in the order of SageMaker's own container: empty body (204), content type, content, width, accept.
    Raises UnsupportedMediaType, UserError or NotAcceptable.
    """
    if not body:
        return Answer(HTTPStatus.NO_CONTENT)
    at_once = _answered_at_once(model, algorithm, body, content_type, accept, default_accept)
    if at_once is not None:
        return Answer(HTTPStatus.OK, at_once, CSV)
    media_type = _request_type(algorithm, content_type)
    try:
        table = requests.decode(body, media_type).fitted_to(model.feature_count)
    except UserError as error:
        if content_type:
            raise
        reason = f"{error}; the request has no Content-Type and was read as {media_type.essence}: name its type"
        raise UserError(reason, field=error.field, row=error.row) from error
    essence = _negotiated(accept, tuple(algorithm.response_types), default_accept or algorithm.default_response_type)
    if table.rows > ROWS_AT_ONCE and essence in _LINED:
        pieces = _pieces(model, table, essence)
        return Answer(HTTPStatus.OK, next(pieces), essence, pieces)
    return Answer(HTTPStatus.OK, responses.encode(model.predict(table), essence), essence)


def _pieces(model: Model, table: Table, essence: str) -> Iterator[bytes]:
    """The answer some rows at a time; together the pieces are what all rows at once would get."""
    for begin in range(0, table.rows, ROWS_AT_ONCE):
        yield responses.encode(model.predict(table.part(begin, begin + ROWS_AT_ONCE)), essence)


def _answered_at_once(
    model: Model, algorithm: Algorithm, body: bytes, content_type: str | None, accept: str | None, default: str | None
) -> bytes | None:
    """The answer to plain CSV in CSV by a model that makes the one of the other; None for everything else."""
    answer_csv: Callable[[bytes], bytes | None] | None = getattr(model, "answer_csv", None)
    if answer_csv is None or len(body) > AT_ONCE_BYTES:
        return None
    offered, default = tuple(algorithm.response_types), default or algorithm.default_response_type
    plain = _is_csv_both_ways(content_type or algorithm.default_request_type, accept, offered, default)
    return answer_csv(body) if plain else None


@lru_cache(_HEADERS_KEPT)
def _is_csv_both_ways(content_type: str, accept: str | None, offered: tuple[str, ...], default: str) -> bool:
    """Whether request and answer are CSV and no parameter says more; what is refused is refused later, in its order."""
    try:
        return parse_media_type(content_type) == MediaType(CSV) and negotiate(accept, offered, default) == CSV
    except UserError:
        return False


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
