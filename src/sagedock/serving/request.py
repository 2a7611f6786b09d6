"""One HTTP request, whole: what the parser has read and the routes look at."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sagedock.errors import PayloadTooLarge, UnsupportedMediaType, UserError

MEBIBYTE = 1024 * 1024
LONGEST_KEPT = 256
"""Longer targets are taken apart each time, so that they fill no memory."""

CONTENT_TYPE = b"content-type"
CONTENT_ENCODING = b"content-encoding"
ACCEPT = b"accept"
CUSTOM_ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
INFERENCE_ID = b"x-amzn-sagemaker-inference-id"

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
"""What stands before the path of a target in absolute form (RFC 9112 section 3.2.2)."""


@dataclass(slots=True)
class Request:
    """`target` is as sent, `headers` have lower-case names, `body` is without its transfer coding.

    `keeps_alive` says whether the connection serves another request after this one; `version` is '1.0' or '1.1'.
    """

    method: bytes
    target: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    keeps_alive: bool
    version: str

    @property
    def path(self) -> str:
        """The path of `target`, percent-coded as sent, without query and without a slash at its end."""
        return _path(self.target) if len(self.target) <= LONGEST_KEPT else _path.__wrapped__(self.target)

    @property
    def takes_pieces(self) -> bool:
        """Whether its client knows answers in chunks."""
        return self.version != "1.0"

    def text(self, name: bytes) -> str | None:
        """The value of a header, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def content(self, limit: int) -> bytes:
        """The body, unzipped where Content-Encoding says gzip.

        Raises PayloadTooLarge for more than `limit` bytes, UnsupportedMediaType for another encoding, UserError for a
        damaged one.
        """
        encoding = self.headers.get(CONTENT_ENCODING)
        if encoding is None:
            return self.body
        name = encoding.strip().lower()
        if name in {b"", b"identity"}:
            return self.body
        if name not in {b"gzip", b"x-gzip"}:
            raise UnsupportedMediaType(
                f"Content-Encoding {encoding.decode('latin-1')!r} is not supported: send the body plain or as gzip",
                field="Content-Encoding",
            )
        return _unzipped(self.body, limit)


@lru_cache(maxsize=4096)
def _path(target: bytes) -> str:
    path = _AUTHORITY.sub("", target.decode("latin-1"), count=1).partition("?")[0]
    return path.rstrip("/") or "/"


def _unzipped(body: bytes, limit: int) -> bytes:
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = unzip.decompress(body, limit + 1)
    except zlib.error as error:
        raise UserError(f"the body is no gzip stream: {error}", field="Content-Encoding") from error
    if len(content) > limit:
        raise too_large(limit)
    if not unzip.eof or unzip.unused_data:
        raise UserError("the gzip body is cut short or has bytes behind its end", field="Content-Encoding")
    return content


def too_large(limit: int) -> PayloadTooLarge:
    """The error for a body of more than `limit` bytes."""
    return PayloadTooLarge(
        f"the request body is larger than the limit of {limit} bytes ({limit / MEBIBYTE:g} MiB): send fewer records, "
        "or raise SAGEMAKER_MAX_PAYLOAD_IN_MB"
    )
