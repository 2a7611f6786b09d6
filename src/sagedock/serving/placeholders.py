"""A bad line among good ones gets a placeholder instead of failing them all (developer guide, batch transform errors).

Only for requests and answers that have one line for each record, and only where SAGEDOCK_BAD_RECORDS asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise

from sagedock.errors import NotAcceptable, UnsupportedMediaType, UserError
from sagedock.formats.media_types import CSV, JSON_LINES, LIBSVM, parse_media_type
from sagedock.serving.answer import Answer

REQUEST_TYPES = frozenset({CSV, LIBSVM, JSON_LINES})
CSV_PLACEHOLDER = b"ERROR"

Invoke = Callable[[bytes], Answer]


@dataclass(frozen=True)
class Types:
    """The Content-Type of a request, and the type that its answer has."""

    request: str
    response: str

    @property
    def lined(self) -> bool:
        """Whether both have one line for each record."""
        return parse_media_type(self.request).essence in REQUEST_TYPES and self.response in {CSV, JSON_LINES}


def answered(invoke: Invoke, body: bytes, types: Types, error: UserError) -> Answer:
    """The answer to `body`, of which `error` refused a line: good lines scored, bad ones marked, in order.

    Raises `error` when it is not about a line, or when request or answer is not line by line.
    """
    if isinstance(error, UnsupportedMediaType | NotAcceptable) or not types.lined:
        raise error
    parts = _answers(invoke, body.rstrip(b"\r\n").split(b"\n"), error, 1)
    pieces = [part.whole() if isinstance(part, Answer) else _placeholder(part, types.response) for part in parts]
    return Answer(HTTPStatus.OK, b"".join(pieces), types.response)


def _answers(invoke: Invoke, lines: Sequence[bytes], error: UserError, first: int) -> list[Answer | UserError]:
    """What came of the lines, `first` being the number of the first: `error` refused them together."""
    if len(lines) == 1:
        return [UserError(str(error), field=error.field, row=first)]
    found: list[Answer | UserError] = []
    for begin, end in cuts(len(lines), error.row):
        part = lines[begin:end]
        try:
            found.append(invoke(b"\n".join(part) + b"\n"))
        except UserError as refusal:
            found += _answers(invoke, part, refusal, first + begin)
    return found


def cuts(count: int, row: int | None) -> list[tuple[int, int]]:
    """Where to cut `count` records that were refused together, the first at fault being `row` if that is known.

    It gives two halves; with a row, the records before it, that row alone, and two halves of what follows.
    """
    at = row if row is not None and 1 <= row <= count else None
    ends = [0, count // 2, count] if at is None else [0, at - 1, at, (at + count + 1) // 2, count]
    return [(begin, end) for begin, end in pairwise(ends) if begin < end]


def _placeholder(error: UserError, essence: str) -> bytes:
    """The line of a record that could not be read."""
    if essence == CSV:
        return CSV_PLACEHOLDER + b"\n"
    return json.dumps({"error": {"message": str(error), "row": error.row}}, ensure_ascii=False).encode() + b"\n"
