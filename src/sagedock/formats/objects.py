"""Answers that are JSON objects, where the fields of an answer are not columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sagedock.errors import NotAcceptable
from sagedock.formats.media_types import JSON, JSON_LINES


@dataclass(frozen=True, slots=True)
class Objects:
    """One JSON object per record, in order.

    In JSON they stand in a list: under `json_key`, or bare where that is None. In JSON Lines each has a line. Lists of
    numbers may be C-contiguous arrays, which are written at once. `single` is for requests of one record: its object is
    the whole of a JSON answer, or only the value under `bare`, where one is named.
    """

    objects: Sequence[Mapping[str, Any]]
    json_key: str | None = None
    single: bool = False
    bare: str | None = None

    @property
    def rows(self) -> int:
        return len(self.objects)


def encode(answers: Objects, media_type: str) -> bytes:
    """The answers as `media_type`; every line ends with one newline. Raises NotAcceptable for a type not written."""
    if media_type == JSON and answers.single:
        (answer,) = answers.objects
        return _written(answer if answers.bare is None else answer[answers.bare])
    if media_type == JSON:
        return _written(answers.objects if answers.json_key is None else {answers.json_key: answers.objects})
    if media_type == JSON_LINES:
        return b"".join(_written(answer) + b"\n" for answer in answers.objects)
    raise NotAcceptable(f"cannot answer as {media_type!r}: accept {JSON} or {JSON_LINES}")


def _written(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
