"""JPEG by simplejpeg, which is libjpeg-turbo; what it leaves to Pillow, and how many scans a file may have.

A picture may be scaled down while it is decoded, by leaving out frequencies: by powers of two only, because other
factors are slower than decoding it whole (docs/performance.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.formats import Size, check_pixels
from sagedock.errors import UserError

MOST_SCANS = 64
"""Each scan of a progressive file goes over the whole picture; encoders write about ten."""
_INKS = ("CMYK", "YCCK")
_FACTORS = (8, 4, 2)
_START_OF_SCAN = 0xDA
_NO_FRAMES = (0xC4, 0xC8, 0xCC)
_SEQUENTIAL = (0xC0, 0xC1, 0xC3, 0xC9, 0xCB)
_WITHOUT_LENGTH = (0x00, 0x01, *range(0xD0, 0xDA), 0xFF)


def decoded(encoded: bytes, place: str, *, colour: bool, shortest: int | None) -> tuple[NDArray[np.uint8], Size] | None:
    """Pixels (H, W, C) and the size in the file; None for what is left to Pillow: inks, and the unusual."""
    import simplejpeg

    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(encoded)
    except ValueError:
        return None
    size = Size(height, width)
    check_pixels(size, place)
    _check_scans(encoded, place)
    if space in _INKS:
        return None
    factor = _factor(size, shortest)
    least = {"min_height": -(-height // factor), "min_width": -(-width // factor)} if factor > 1 else {}
    try:
        return simplejpeg.decode_jpeg(encoded, "RGB" if colour else "GRAY", **least), size
    except ValueError:
        return None


def _factor(size: Size, shortest: int | None) -> int:
    if shortest is None:
        return 1
    return next((factor for factor in _FACTORS if min(size) >= factor * shortest), 1)


def _check_scans(encoded: bytes, place: str) -> None:
    if _is_one_scan(encoded):
        return
    scans = encoded.count(bytes((0xFF, _START_OF_SCAN)))
    if scans > MOST_SCANS:
        raise UserError(
            f"{place}: the JPEG picture has {scans} scans, and at most {MOST_SCANS} are allowed: save it as baseline"
        )


def _is_one_scan(encoded: bytes) -> bool:
    """Whether the head says that the first scan holds all components and is the only one (ITU-T T.81, annex B)."""
    at, components = 2, None
    while at + 4 <= len(encoded) and encoded[at] == 0xFF:
        marker, length = encoded[at + 1], int.from_bytes(encoded[at + 2 : at + 4], "big")
        if marker in _WITHOUT_LENGTH:
            return False
        if marker == _START_OF_SCAN:
            return components is not None and encoded[at + 4 : at + 5] == components
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            components = encoded[at + 9 : at + 10] if marker in _SEQUENTIAL else None
        at += 2 + length
    return False
