"""Formats of pictures: told by the first bytes, refused by name, and the size that a head promises."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from sagedock.errors import UserError

MOST_PIXELS = 50_000_000
"""Of one picture, in its file and after resizing: at most twelve bytes each, 600 MB, are taken for it meanwhile."""

LONGEST_SIDE = 65_535
"""What JPEG allows."""


class Size(NamedTuple):
    """Rows and columns."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height} pixels"


class Format(Enum):
    """What is decoded; the values are the names that errors use."""

    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"
    BMP = "BMP"
    WEBP = "WebP"


_FIRST = {
    b"\xff\xd8\xff": Format.JPEG,
    b"\x89PNG\r\n\x1a\n": Format.PNG,
    b"GIF87a": Format.GIF,
    b"GIF89a": Format.GIF,
    b"BM": Format.BMP,
}
_REFUSED = {
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "BigTIFF",
    b"%PDF": "PDF",
    b"8BPS": "PSD",
    b"\0\0\1\0": "ICO",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"%!PS": "PostScript",
    b"\x1f\x8b": "gzip",
    b"PK\3\4": "zip",
    b"\x0a\x23\xd7\xce": "RecordIO",
}


def of(encoded: bytes, place: str) -> Format:
    """What the bytes are; UserError for anything that is not decoded."""
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
        return Format.WEBP
    for first, kind in _FIRST.items():
        if encoded.startswith(first):
            return kind
    allowed = ", ".join(kind.value for kind in Format)
    raise UserError(f"{place}: no picture that is read here but {_found(encoded)}: convert it to one of {allowed}")


def _found(encoded: bytes) -> str:
    if not encoded:
        return "no bytes at all"
    for first, name in _REFUSED.items():
        if encoded.startswith(first):
            return f"a {name} file"
    if encoded[4:8] == b"ftyp":
        return "a HEIF, AVIF or MP4 file"
    if b"<svg" in encoded[:1000].lower():
        return "an SVG file, which holds drawing instructions and no pixels"
    if encoded[:100].lstrip().startswith((b"<", b"{")):
        return f"text that begins with {encoded.lstrip()[:20].decode('utf-8', 'replace')!r}"
    return f"{len(encoded)} bytes that begin with {encoded[:8].hex(' ')}"


def size_in_head(encoded: bytes, kind: Format) -> Size | None:
    """As the first bytes promise it, before a decoder sees them; None where only a decoder can tell."""
    if kind is Format.PNG:
        return Size(int.from_bytes(encoded[20:24], "big"), int.from_bytes(encoded[16:20], "big"))
    if kind is Format.GIF:
        return Size(int.from_bytes(encoded[8:10], "little"), int.from_bytes(encoded[6:8], "little"))
    if kind is Format.WEBP:
        return _webp_size(encoded)
    return None


def _webp_size(encoded: bytes) -> Size | None:
    """Of the three kinds of first chunk (WebP container specification and RFC 9649)."""
    if encoded[12:16] == b"VP8X":
        return Size(1 + int.from_bytes(encoded[27:30], "little"), 1 + int.from_bytes(encoded[24:27], "little"))
    if encoded[12:16] == b"VP8L":
        bits = int.from_bytes(encoded[21:25], "little")
        return Size(1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF))
    if encoded[12:16] == b"VP8 ":
        width, height = (int.from_bytes(encoded[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        return Size(height, width)
    return None


def check_pixels(size: Size, place: str, what: str = "the picture has") -> None:
    """UserError for more pixels than MOST_PIXELS, or a side beyond LONGEST_SIDE."""
    if size.height * size.width > MOST_PIXELS or max(size) > LONGEST_SIDE:
        raise UserError(
            f"{place}: {what} {size}, and at most {MOST_PIXELS:,} pixels and sides of {LONGEST_SIDE:,} are allowed: "
            "make it smaller"
        )
