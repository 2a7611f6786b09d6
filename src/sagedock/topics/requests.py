"""What a topic model is asked: documents as counts or, where it has a vocabulary, as texts (developer guide, "NTM")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sagedock import core
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import csv, instances
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, PLAIN_TEXT, RECORDIO, MediaType
from sagedock.formats.requests import require_utf8
from sagedock.formats.table import RecordIdentity
from sagedock.topics.counts import Row, counted, wrong_count
from sagedock.topics.documents import Documents
from sagedock.topics.vocabulary import Vocabulary

REQUEST_TYPES = (CSV, JSON, JSON_LINES, RECORDIO, PLAIN_TEXT)
KINDS: Mapping[str, str] = {CSV: "csv", JSON: "json", JSON_LINES: "jsonlines", RECORDIO: "recordio"}
"""What the compiled core calls the types of requests that it reads."""
_TEXT, _VERBOSE = "text", "verbose"


@dataclass(frozen=True)
class Request:
    """The records of one request; `verbose` says of each whether its answer names words, and is empty for none."""

    documents: Documents
    verbose: Sequence[bool] = ()
    identities: Sequence[RecordIdentity] | None = None

    @property
    def rows(self) -> int:
        return self.documents.rows

    def part(self, begin: int, end: int) -> Request:
        """Those from `begin` (counted from 0) up to `end`, which may lie behind the last."""
        return replace(
            self,
            documents=self.documents.part(begin, end),
            verbose=self.verbose[begin:end],
            identities=None if self.identities is None else self.identities[begin:end],
        )


def read(body: bytes, media_type: MediaType, feature_dim: int, vocabulary: Vocabulary | None) -> Request:
    """The documents of a request to a model of `feature_dim` words.

    Raises UserError naming the row and what is wrong with it, and UnsupportedMediaType.
    """
    require_utf8(media_type)
    found = _natively(body, media_type, feature_dim)
    if found is not None:
        return Request(found)
    if media_type.essence == CSV:
        return Request(_rows(body, media_type, feature_dim))
    if media_type.essence == JSON:
        document = instances.document(body)
        verbose = _flag(document.get(_VERBOSE, False), "the body", None)
        return _instances(document["instances"], verbose, feature_dim, vocabulary)
    if media_type.essence == JSON_LINES:
        return _instances(instances.lines(body), False, feature_dim, vocabulary)
    if media_type.essence == RECORDIO:
        return _records(body, feature_dim)
    if media_type.essence == PLAIN_TEXT:
        return Request(_known(vocabulary, "a request of text/plain").documents(_lines(body)))
    raise UnsupportedMediaType(f"{media_type.essence!r} is not read: send one of {', '.join(REQUEST_TYPES)}")


def _natively(body: bytes, media_type: MediaType, feature_dim: int) -> Documents | None:
    """The documents of a usual body, by the compiled core; None without it, and for any other."""
    kind = KINDS.get(media_type.essence)
    if core.native is None or kind is None or media_type.parameters.get("label_size", "0") != "0":
        return None
    found = core.native.documents(body, kind, feature_dim)
    return None if found is None else Documents(*found, feature_dim)


def _lines(body: bytes) -> list[str]:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        row = 1 + body.count(b"\n", 0, error.start)
        raise UserError(
            f"row {row}: byte {error.start + 1} is 0x{body[error.start]:02x}, which is no UTF-8: send UTF-8",
            row=row,
        ) from error
    found = csv.text_lines(body)
    if not found:
        raise UserError("the body holds no text: send one document a line")
    return found


def _rows(body: bytes, media_type: MediaType, feature_dim: int) -> Documents:
    matrix = csv.decode(body, media_type).dense
    if matrix.shape[1] != feature_dim:
        raise UserError(
            f"expected {feature_dim} columns (feature_dim), got {matrix.shape[1]}: send the count of every word of the "
            "vocabulary, without a label"
        )
    documents = Documents.of_dense(matrix)
    wrong = wrong_count(documents)
    if wrong is not None:
        row, word, reason = wrong
        raise UserError(f"row {row + 1}, column {word + 1}: {reason}", row=row + 1, field=f"column {word + 1}")
    return documents


def _records(body: bytes, feature_dim: int) -> Request:
    from sagedock.formats import records

    found, identities = records.rows(body)
    rows = [counted(row, f"row {number}", feature_dim, number) for number, row in enumerate(found, start=1)]
    if not rows:
        raise UserError("the body holds no records: send at least one")
    return Request(Documents.of_rows(rows, feature_dim), identities=identities)


def _instances(found: Sequence[Any], verbose: bool, feature_dim: int, vocabulary: Vocabulary | None) -> Request:
    """The documents of JSON values, some of which may be texts."""
    if not found:
        raise UserError("instances is empty: send one document at least", field="instances")
    texts = [_text(value, number) for number, value in enumerate(found, start=1)]
    documents = _documents(found, texts, feature_dim, vocabulary)
    wordy = [verbose or _is_verbose(value, number) for number, value in enumerate(found, start=1)]
    return Request(documents, wordy if any(wordy) else ())


def _documents(
    found: Sequence[Any], texts: Sequence[str | None], feature_dim: int, vocabulary: Vocabulary | None
) -> Documents:
    """Those of the values that have a text, and of the others, which hold counts, in their order."""
    given = [text for text in texts if text is not None]
    prepared = _known(vocabulary, f"row {1 + texts.index(given[0])}: text").documents(given) if given else None
    if prepared is not None and len(given) == len(found):
        return prepared
    rows = [
        _EMPTY
        if text is not None
        else counted(instances.read(value, number).features, f"row {number}", feature_dim, number)
        for number, (value, text) in enumerate(zip(found, texts, strict=True), start=1)
    ]
    documents = Documents.of_rows(rows, feature_dim)
    places = np.flatnonzero([text is not None for text in texts])
    return documents if prepared is None else _merged(documents, prepared, places)


_EMPTY: Row = (np.empty(0, np.int64), np.empty(0, np.float32))


def _merged(documents: Documents, prepared: Documents, places: np.ndarray) -> Documents:
    """`documents` with those of `prepared` in the given places."""
    order = np.arange(documents.rows)
    order[places] = documents.rows + np.arange(prepared.rows)
    return Documents.joined([documents, prepared]).take(order)


def _text(value: Any, row: int) -> str | None:
    """The text of an instance, None where it gives counts."""
    if not isinstance(value, Mapping) or _TEXT not in value:
        return None
    text = value[_TEXT]
    if not isinstance(text, str):
        raise UserError(f'row {row}: text is no text: give {{"text": "..."}}', row=row, field=_TEXT)
    if "features" in value or "data" in value:
        raise UserError(f"row {row} has text and features: give one of them", row=row, field=_TEXT)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"row {row}: character {error.start + 1} of the text is half of a surrogate pair: send whole characters",
            row=row,
            field=_TEXT,
        ) from error
    return text


def _known(vocabulary: Vocabulary | None, what: str) -> Vocabulary:
    if vocabulary is None:
        raise UserError(
            f"{what} needs a vocabulary, and this model has none: send counts of words, or train it from texts or with "
            "vocab.txt in the channel auxiliary",
            field=_TEXT,
        )
    return vocabulary


def _is_verbose(value: Any, row: int) -> bool:
    return isinstance(value, Mapping) and _flag(value.get(_VERBOSE, False), f"row {row}", row)


def _flag(value: Any, place: str, row: int | None) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{place}: verbose is neither true nor false: give one of them", row=row, field=_VERBOSE)
    return value
