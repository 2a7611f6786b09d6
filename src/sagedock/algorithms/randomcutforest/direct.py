"""From the bytes of a plain request to those of the answer, by compiled code and without tables between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sagedock import core
from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.formats.media_types import CSV, JSON, JSON_LINES

IN_LINE_SECONDS = 0.005
"""Other requests of the worker, /ping among them, may wait for one answer so long."""
SECONDS_A_TREE = 250e-9
"""What a row takes in a tree of 256 samples, with 16 columns; boxes of more columns take longer in proportion."""


class _Frame(NamedTuple):
    """What stands before, between and behind the scores of an answer."""

    opening: str
    between: str
    closing: str


_FRAMES: Mapping[str, _Frame] = {
    CSV: _Frame("", "\n", "\n"),
    JSON: _Frame('{"scores":[{"score":', '},{"score":', "}]}"),
    JSON_LINES: _Frame('{"score":', '}\n{"score":', "}\n"),
}
_KINDS: Mapping[str, str] = {CSV: "csv", JSON: "json", JSON_LINES: "jsonlines"}
"""What the compiled core calls the types of requests that it reads."""


def of_detector(detector: Detector, request_type: str, response_type: str) -> Callable[[bytes], bytes | None] | None:
    """What answers a body by the scores of its rows, or of its series, in one call; it returns None for a body that is
    unusual or wrong.

    None itself where there is no compiled core, and between other types.
    """
    kind, frame = _KINDS.get(request_type), _FRAMES.get(response_type)
    if core.native is None or kind is None or frame is None:
        return None
    answer, size, weights = detector.forest.compiled.answer, detector.shingle_size, detector.weights
    opening, between, closing = frame
    return lambda body: answer(body, kind, opening, between, closing, size, weights)


def in_line_bytes(columns: int, trees: int) -> int:
    """The longest body that so many trees answer within IN_LINE_SECONDS: a number takes two bytes at least."""
    if getattr(core.native, "CutForest", None) is None:
        return 0
    seconds = SECONDS_A_TREE * trees * max(1.0, columns / 16)
    return int(IN_LINE_SECONDS / seconds) * columns * 2
