"""What a RecordIO record of a picture holds (MXNet's image_recordio.h): a header, labels, and the picture's file.

The header of 24 bytes is a flag, a label and two numbers of the picture. Flag 0 says that the header's label is the
only one; flag n, that n labels follow.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError

_HEADER = struct.Struct("<IfQQ")
HEADER_BYTES = _HEADER.size
LABEL_BYTES = 4


def label_count(head: bytes) -> int:
    """How many labels follow the header that `head` begins with, if it is one: nothing is checked."""
    return int.from_bytes(head[:LABEL_BYTES], "little")


def labels(head: bytes, place: str) -> NDArray[np.float32]:
    """The labels of the record that begins with `head`, at least one; a view of it.

    Raises UserError naming `place` where it is no such record.
    """
    count = _count(head, place)
    return np.frombuffer(head, "<f4", count or 1, HEADER_BYTES if count else LABEL_BYTES)


def picture(payload: bytes, place: str) -> bytes:
    """The picture's file behind header and labels. Raises UserError naming `place` where there is none."""
    found = payload[HEADER_BYTES + LABEL_BYTES * _count(payload, place) :]
    if not found:
        raise UserError(f"{place}: there is no picture behind the labels: make the file again, for example with im2rec")
    return found


def packed(values: Sequence[float], encoded: bytes, number: int = 0) -> bytes:
    """The record of a picture: one label goes into the header, several behind it. `number` is the picture's own."""
    if len(values) == 1:
        return _HEADER.pack(0, values[0], number, 0) + encoded
    return _HEADER.pack(len(values), 0.0, number, 0) + struct.pack(f"<{len(values)}f", *values) + encoded


def _count(head: bytes, place: str) -> int:
    """How many labels follow the header; `head` holds them."""
    if len(head) < HEADER_BYTES:
        raise UserError(
            f"{place}: Unable to parse record: it has {len(head)} bytes, and the header of a picture has "
            f"{HEADER_BYTES}: make the file with im2rec or MXNet's recordio.pack_img"
        )
    count = label_count(head)
    if len(head) - HEADER_BYTES < LABEL_BYTES * count:
        raise UserError(
            f"{place}: Unable to parse record: its header says that {count} labels follow, which it has not the bytes "
            "for: make the file with im2rec or MXNet's recordio.pack_img"
        )
    return count
