"""From the bytes of plain CSV to those of the answer, by compiled code and without tables between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sagedock import core
from sagedock.formats.media_types import CSV, JSON, JSON_LINES
from sagedock.formats.table import Predictions, Table

IN_LINE_SECONDS = 0.005
"""Other requests of the worker, /ping among them, may wait for one answer so long."""
SECONDS_A_TREE = 250e-9
"""What a row takes in a tree of 256 samples, with 16 columns; boxes of more columns take longer in proportion."""


class _Frame(NamedTuple):
    """What stands before, between and behind the scores of an answer."""

    opening: bytes
    between: bytes
    closing: bytes


_FRAMES: Mapping[str, _Frame] = {
    CSV: _Frame(b"", b"\n", b"\n"),
    JSON: _Frame(b'{"scores":[{"score":', b'},{"score":', b"}]}"),
    JSON_LINES: _Frame(b'{"score":', b'}\n{"score":', b"}\n"),
}


def answering(
    predict: Callable[[Table], Predictions], columns: int, request_type: str, response_type: str
) -> Callable[[bytes], bytes | None] | None:
    """What answers a CSV body of so many columns by the scores of its rows; it returns None for a body that is unusual
    or wrong, and for answers that hold more than scores.

    None itself where there is no compiled core, and between other types.
    """
    native, frame = core.native, _FRAMES.get(response_type)
    if native is None or frame is None or request_type != CSV:
        return None
    opening, between, closing = frame

    def answer(body: bytes) -> bytes | None:
        rows = native.csv(body)
        if rows is None or rows.shape[1] != columns:
            return None
        try:
            found = predict(Table(rows)).columns
        except ValueError:  # a value is missing: the long way says where
            return None
        if found.keys() != {"score"}:
            return None
        return opening + native.lines(found["score"])[:-1].replace(b"\n", between) + closing

    return answer


def in_line_bytes(columns: int, trees: int) -> int:
    """The longest body that so many trees answer within IN_LINE_SECONDS: a number takes two bytes at least."""
    if getattr(core.native, "CutForest", None) is None:
        return 0
    seconds = SECONDS_A_TREE * trees * max(1.0, columns / 16)
    return int(IN_LINE_SECONDS / seconds) * columns * 2
