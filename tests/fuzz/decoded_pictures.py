"""What is fuzzed of image classification: a file of any kind to pixels, as serving and training have it done."""

from __future__ import annotations

from sagedock.algorithms.image_classification.preparation import squashed
from tests.algorithms.image_classification.pictures import chunk, encoded, photograph, png

_PICTURE = photograph(12, 20)
_GREY = photograph(12, 20, 1)

SEEDS = (
    encoded(_PICTURE, "JPEG"),
    encoded(_PICTURE, "JPEG", progressive=True),
    encoded(_GREY, "JPEG"),
    encoded(_PICTURE, "PNG"),
    encoded(photograph(12, 20, 4), "PNG"),
    png(2, 3, chunk(b"tRNS", bytes(6)), data=bytes(38), depth=16),
    encoded(_PICTURE, "GIF"),
    encoded(_PICTURE, "BMP"),
    encoded(_GREY, "BMP"),
    encoded(_PICTURE, "WEBP"),
    encoded(photograph(12, 20, 4), "WEBP", lossless=True),
)
TOKENS = (
    b"\xff\xd8\xff",
    b"\xff\xc0",
    b"\xff\xc2",
    b"\xff\xda",
    b"\xff\xdd",
    b"IHDR",
    b"IDAT",
    b"PLTE",
    b"acTL",
    b"fcTL",
)


def read(data: bytes) -> None:
    """Pixels of the shape asked for, or UserError."""
    assert squashed(data, (3, 9, 7), "the request").shape == (3, 9, 7)
