"""From the bytes of a plain request to those of the answer, by compiled code and without tables between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sagedock import core
from sagedock.formats.media_types import CSV, JSON, JSON_LINES
from sagedock.topics.documents import Documents, Floats
from sagedock.topics.requests import KINDS


class _Frame(NamedTuple):
    """What stands before, between and behind the mixtures of an answer, `%s` being what they are called."""

    opening: str
    between: str
    closing: str


_FRAMES: Mapping[str, _Frame] = {
    CSV: _Frame("", "\n", "\n"),
    JSON: _Frame('{"predictions":[{"%s":[', ']},{"%s":[', "]}]}"),
    JSON_LINES: _Frame('{"%s":[', ']}\n{"%s":[', "]}\n"),
}


def way(
    mixtures: Callable[[Documents], Floats], feature_dim: int, key: str, request_type: str, response_type: str
) -> Callable[[bytes], bytes | None] | None:
    """What answers a body of counts by their mixtures; it returns None for a body that is unusual or wrong.

    None itself where there is no compiled core, and between other types.
    """
    kind, frame, native = KINDS.get(request_type), _FRAMES.get(response_type), core.native
    if native is None or kind is None or frame is None:
        return None
    opening, between, closing = (text.replace("%s", key).encode() for text in frame)

    def answer(body: bytes) -> bytes | None:
        found = native.documents(body, kind, feature_dim)
        if found is None:
            return None
        lines = native.rows(mixtures(Documents(*found, feature_dim)))
        if b"n" in lines:  # nan, which JSON has no number for, or inf
            return None
        return opening + lines[:-1].replace(b"\n", between) + closing

    return answer
