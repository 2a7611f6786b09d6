"""Media types and the choice of an answer's type (RFC 9110 sections 8.3.1, 12.4.2 and 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sagedock.errors import NotAcceptable, UnsupportedMediaType

CSV = "text/csv"
LIBSVM = "text/libsvm"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
GZIPPED_JSON = "application/jsonlines+gzip"
PARQUET = "application/x-parquet"
RECORDIO = "application/x-recordio-protobuf"
PLAIN_TEXT = "text/plain"
RECORDIO_WRAPPED = "application/x-recordio"
"""RecordIO frames around whatever an algorithm says of them, as from an augmented manifest."""

_SPELLINGS = {
    "csv": CSV,
    "libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "json": JSON,
    "jsonlines": JSON_LINES,
    "application/x-jsonlines": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
    "json.gz": GZIPPED_JSON,
    "parquet": PARQUET,
    "application/parquet": PARQUET,
    "application/vnd.apache.parquet": PARQUET,
    "recordio-protobuf": RECORDIO,
}

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ESSENCE = re.compile(rf"[ \t]*({_WORD}(?:/{_WORD})?)[ \t]*")
_PARAMETER = re.compile(rf";[ \t]*(?:({_WORD})[ \t]*=[ \t]*({_WORD}|{_QUOTED}))?[ \t]*")
_MEMBER = re.compile(rf"(?:{_QUOTED}|[^,\"])+")
_QUALITY = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True)
class MediaType:
    """`essence` is the lower-case type/subtype; the names of `parameters` are lower-case, their values as sent."""

    essence: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def parse_media_type(text: str) -> MediaType:
    """The media type that `text` spells, SageMaker's short names such as `csv` written out.

    Raises UnsupportedMediaType for text that is no media type.
    """
    parsed = _parse(text)
    if parsed is None or ("/" not in parsed.essence):
        raise UnsupportedMediaType(f"{text!r} is not a media type: send one such as text/csv or text/csv; label_size=0")
    return parsed


def negotiate(accept: str | None, offered: Sequence[str], default: str) -> str:
    """The type of `offered` that `accept` likes best; `default` when it leaves the choice open.

    Among types of equal quality the default wins, then the order of `offered`. Members of the list that are no media
    range are ignored. Raises NotAcceptable naming what is offered.
    """
    if accept is None or not accept.strip():
        return default
    ranges = list(_ranges(accept))
    qualities = {name: _quality(name, ranges) for name in (default, *offered)}
    best = max(qualities, key=lambda name: qualities[name])  # max keeps the first of equals
    if qualities[best] <= 0:
        raise NotAcceptable(f"cannot answer as {accept!r}: accept one of {', '.join(offered)}")
    return best


def _parse(text: str) -> MediaType | None:
    match = _ESSENCE.match(text)
    if match is None:
        return None
    essence = match[1].lower()
    parameters: dict[str, str] = {}
    position = match.end()
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            return None
        if match[1]:
            parameters.setdefault(match[1].lower(), _unquoted(match[2]))
        position = match.end()
    return MediaType(_SPELLINGS.get(essence, essence), MappingProxyType(parameters))


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _ranges(accept: str) -> Iterator[tuple[MediaType, float]]:
    for member in _MEMBER.findall(accept):
        parsed = _parse(member)
        if parsed is None:
            continue
        quality = parsed.parameters.get("q", "1")
        if _QUALITY.fullmatch(quality):
            yield parsed, float(quality)


def _quality(name: str, ranges: Sequence[tuple[MediaType, float]]) -> float:
    """What the most specific range that covers `name` gives it (RFC 9110 section 12.5.1)."""
    offered = parse_media_type(name)
    group = offered.essence.partition("/")[0] + "/*"
    for wanted in (offered.essence, group, "*/*"):
        found = [quality for media_range, quality in ranges if media_range.essence in _equals(wanted)]
        if found:
            return max(found)
    return 0.0


def _equals(wanted: str) -> tuple[str, ...]:
    return ("*/*", "*") if wanted == "*/*" else (wanted,)
