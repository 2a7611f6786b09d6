"""The body of a request: with a length or in chunks, plain or gzipped, never above the limit."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from gunicorn.http.errors import ParseException

from sagedock.errors import PayloadTooLarge, UnsupportedMediaType, UserError

PIECE = 1024 * 1024
PATIENCE_SECONDS = 20.0
MEBIBYTE = 1024 * 1024


def read_body(environ: Mapping[str, Any], limit: int) -> bytes:
    """The request body of a WSGI `environ`, unzipped.

    Raises PayloadTooLarge above `limit` bytes, after reading what the client still sends so that it can hear the
    answer; UnsupportedMediaType for a Content-Encoding other than gzip; UserError for a body that is cut short, or
    damaged in its chunks or its compression.
    """
    stream = cast("BinaryIO", environ["wsgi.input"])
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > limit and "HTTP_EXPECT" in environ:  # the client waits for leave to send, and gets none
        raise _too_large(limit)
    try:
        body = stream.read(limit + 1)
        if len(body) > limit:
            _discard(stream)
            raise _too_large(limit)
    except (OSError, ParseException) as error:
        raise UserError(f"the request body cannot be read: {type(error).__name__} {error}".rstrip()) from error
    if len(body) < length:
        raise UserError(f"the request body ended after {len(body)} of {length} bytes")
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise UnsupportedMediaType(
            f"Content-Encoding {encoding!r} is not supported: send the body plain or as gzip", field="Content-Encoding"
        )
    return _unzipped(body, limit)


def _unzipped(body: bytes, limit: int) -> bytes:
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = unzip.decompress(body, limit + 1)
    except zlib.error as error:
        raise UserError(f"the body is no gzip stream: {error}", field="Content-Encoding") from error
    if len(content) > limit:
        raise _too_large(limit)
    if not unzip.eof or unzip.unused_data:
        raise UserError("the gzip body is cut short or has bytes behind its end", field="Content-Encoding")
    return content


def _discard(stream: BinaryIO) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and stream.read(PIECE):
        pass


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the request body is larger than the limit of {limit} bytes ({limit / MEBIBYTE:g} MiB): send fewer records, "
        "or raise SAGEMAKER_MAX_PAYLOAD_IN_MB"
    )
