"""What BlazingText is asked: texts, and how many labels of each, or words (developer guide, "BlazingText")."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import instances
from sagedock.formats.media_types import JSON, JSON_LINES, MediaType
from sagedock.formats.requests import require_utf8

_JSON_SHAPE = '{"instances": ["text", ...], "configuration": {"k": 1}}'
_LINE_SHAPE = '{"source": "text", "k": 1}'
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
MOST_LABELS = 2**31 - 1
"""More is read as this; nobody gets more than there are."""


PLAIN, NEIGHBOURS, ANALOGY, SENTENCE = "source", "neighbours", "analogy", "sentence"
_VECTOR_KINDS = (NEIGHBOURS, ANALOGY, SENTENCE)
_FEW_NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Question:
    """A text in UTF-8 and how many labels are wanted; of a word vector, a word.

    The other kinds, extensions of sagedock: the neighbours of a word, what an analogy's three words lead to, the vector
    of a sentence.
    """

    text: bytes
    k: int = 1
    threshold: float = 0.0
    """Labels that are less probable are left out; an extension of sagedock."""
    kind: str = PLAIN
    words: tuple[bytes, ...] = ()
    """Those of an analogy."""


@dataclass(frozen=True, slots=True)
class Questions:
    """The records of one request."""

    items: Sequence[Question]

    @property
    def rows(self) -> int:
        return len(self.items)

    def part(self, begin: int, end: int) -> Questions:
        """Those from `begin` (counted from 0) up to `end`, which may lie behind the last."""
        return replace(self, items=self.items[begin:end])


def decode(body: bytes, media_type: MediaType) -> Questions:
    """The questions of a request. Raises UserError naming the instance that is none, and UnsupportedMediaType."""
    require_utf8(media_type)
    if media_type.essence == JSON:
        return _decode_instances(body)
    if media_type.essence == JSON_LINES:
        return _decode_texts(body) if _holds_texts(media_type) else _decode_lines(body)
    raise UnsupportedMediaType(f"{media_type.essence!r} is not read: send {JSON} or {JSON_LINES}")


def _holds_texts(media_type: MediaType) -> bool:
    """Whether lines are texts themselves, as `application/jsonlines; data=text` says in inference pipelines."""
    data = media_type.parameters.get("data", "json").lower()
    if data not in {"json", "text"}:
        raise UnsupportedMediaType(f"data={data!r} is not read: data=text means a text a line", field="data")
    return data == "text"


def _decode_instances(body: bytes) -> Questions:
    document = _loads(body, None)
    if not isinstance(document, dict) or not isinstance(document.get("instances"), list):
        what = "an object without a list named instances" if isinstance(document, dict) else _kind(document)
        raise UserError(f"expected {_JSON_SHAPE}, got {what}", field="instances")
    configuration = document.get("configuration")
    if configuration is None:
        configuration = {}
    if not isinstance(configuration, dict):
        raise UserError(
            f'configuration is {_kind(configuration)}, not an object such as {{"k": 1}}', field="configuration"
        )
    k, threshold = _wanted(configuration, "configuration", None), _threshold(configuration, "configuration", None)
    return Questions(
        [
            _of_vectors(value, configuration, row)
            if isinstance(value, dict)
            else _question(value, k, threshold, row, "instance")
            for row, value in enumerate(document["instances"], start=1)
        ]
    )


def _decode_lines(body: bytes) -> Questions:
    lines = body.removeprefix(codecs.BOM_UTF8).rstrip(b" \t\r\n").split(b"\n")
    return Questions([_line(_loads(line, row), row) for row, line in enumerate(lines, start=1)])


def _line(value: Any, row: int) -> Question:
    if isinstance(value, dict) and not value.keys().isdisjoint(_VECTOR_KINDS):
        return _of_vectors(value, {}, row)
    if not isinstance(value, dict) or "source" not in value:
        what = "an object without source" if isinstance(value, dict) else _kind(value)
        raise UserError(f"row {row}: expected {_LINE_SHAPE}, got {what}", field="source", row=row)
    place = f"row {row}"
    return _question(
        value["source"], _wanted(value, place, row), _threshold(value, place, row), row, "the source of row"
    )


def _of_vectors(value: Mapping[str, Any], configuration: Mapping[str, Any], row: int) -> Question:
    """A question for neighbours, an analogy or the vector of a sentence."""
    named = [kind for kind in _VECTOR_KINDS if kind in value]
    if len(named) != 1:
        raise UserError(
            f"instance {row} is an object that holds not one of {', '.join(_VECTOR_KINDS)}: send text, "
            '{"neighbours": "word", "k": 10}, {"analogy": ["man", "king", "woman"]} or {"sentence": "text"}',
            field="instances",
            row=row,
        )
    (kind,) = named
    k = _wanted({"k": _FEW_NEIGHBOURS, **configuration, **value}, f"instance {row}", row)
    given = value[kind]
    if kind != ANALOGY:
        return Question(_question(given, k, 0.0, row, f"{kind} of instance").text, k, kind=kind)
    if not isinstance(given, list) or len(given) != 3 or not all(isinstance(word, str) for word in given):
        raise UserError(f"analogy of instance {row} is no list of three words", field="instances", row=row)
    return Question(b"", k, kind=kind, words=tuple(word.encode() for word in given))


def _decode_texts(body: bytes) -> Questions:
    lines = body.removesuffix(b"\n").split(b"\n")
    return Questions([_plain(line.removesuffix(b"\r"), row) for row, line in enumerate(lines, start=1)])


def _plain(line: bytes, row: int) -> Question:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"row {row} is not UTF-8 ({error.reason}): send UTF-8", row=row) from error
    return Question(line)


def _question(text: Any, k: int, threshold: float, row: int, what: str) -> Question:
    if not isinstance(text, str):
        raise UserError(f"{what} {row} is {_kind(text)}, not text", field="instances", row=row)
    return Question(text.encode(), k, threshold)


def _threshold(options: Mapping[str, Any], where: str, row: int | None) -> float:
    """The least probability that the options ask for."""
    threshold = options.get("threshold", 0.0)
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise UserError(
            f"{where}: threshold is {_shown(threshold)}, and it must be from 0 to 1", field="threshold", row=row
        )
    return float(threshold)


def _wanted(options: Mapping[str, Any], where: str, row: int | None) -> int:
    """How many labels the options ask for."""
    k = options.get("k", 1)
    if isinstance(k, float) and k.is_integer():
        k = int(k)
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise UserError(f"{where}: k is {_shown(k)}, and it must be a whole number from 1", field="k", row=row)
    return min(k, MOST_LABELS)


def _loads(text: bytes, row: int | None) -> Any:
    try:
        return orjson.loads(text.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        place = "the body" if row is None else f"row {row}"
        raise UserError(f"{place} is not JSON ({instances.fault(error)}): send one valid JSON text", row=row) from error


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


def _shown(value: Any) -> str:
    """A value as JSON, cut short; its kind where it is nested too deeply to be written, or beyond 64 bits."""
    try:
        return orjson.dumps(value).decode()[:40]
    except orjson.JSONEncodeError:
        return _kind(value)
