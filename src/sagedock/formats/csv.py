"""Comma-separated values of a request, and their writing (RFC 4180, with SageMaker's label_size)."""

from __future__ import annotations

import csv as rfc4180
import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np
import orjson

from sagedock import core
from sagedock.errors import UserError
from sagedock.formats.cells import LIMIT, narrowed, number
from sagedock.formats.media_types import MediaType
from sagedock.formats.table import Floats, Table

_DELIMITERS = ",\t;| "
_PLAIN = b"0123456789.,-+eE\n"
_WHOLE_MINUS_ZERO = re.compile(rb"-0(?=[,\n]|\Z)")
"""In JSON it is a whole number, which has no sign."""
_BLOCK = 256 * 1024
"""Bytes of plain rows that are read at once: other threads, and health checks, get their turn in between."""


def decode(body: bytes, media_type: MediaType) -> Table:
    """The records of a request, one per line; `label_size` leading columns (0 unless said) are dropped.

    Raises UserError naming row, column and value of what is not a number, and rows whose length differs.
    """
    label_size = label_columns(media_type, default=0)
    matrix = read_plainly(body) if core.native is None else core.native.csv(body)
    if matrix is None:
        matrix = read_carefully(body)
    if matrix.shape[1] <= label_size:
        raise UserError("the records hold a label and no features: send the feature columns", row=1)
    return Table(features=np.ascontiguousarray(matrix[:, label_size:]) if label_size else matrix)


def label_columns(media_type: MediaType, default: int) -> int:
    """The parameter label_size; raises UserError unless it is 0 or 1."""
    text = media_type.parameters.get("label_size", str(default))
    if text not in {"0", "1"}:
        raise UserError(f"label_size is {text!r}: use 0 or 1 (text/csv; label_size=1)", field="label_size")
    return int(text)


def sniff(line: str) -> str:
    """The delimiter of `line`: the first of comma, tab, semicolon, bar and space that occurs in it, else comma."""
    return next((delimiter for delimiter in _DELIMITERS if delimiter in line), ",")


def cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line, quotes removed. Raises ValueError for a quote that does not close."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(rfc4180.reader([line], delimiter=delimiter, strict=True))
    except (rfc4180.Error, StopIteration) as error:
        raise ValueError(f"cannot be read ({error}): close the quote") from error


def looks_like_libsvm(cell: str) -> bool:
    """Whether `cell` has the form index:value."""
    index, colon, _ = cell.strip().partition(":")
    return bool(colon) and (index.isdigit() or index == "qid")


def read_plainly(body: bytes) -> Floats | None:
    """Rows of JSON-like numbers between commas, read as JSON; None when `body` is anything else.

    For where there is no compiled core.
    """
    text = body.replace(b"\r\n", b"\n").rstrip(b"\n")
    if not text or text.translate(None, _PLAIN) or _WHOLE_MINUS_ZERO.search(text):
        return None
    try:
        if b"\n" not in text:
            return _one_row(orjson.loads(b"[%b]" % text))
        blocks: list[Floats] = []
        for block in _blocks(text):
            matrix = _rows(block)
            if matrix is None or (blocks and matrix.shape[1] != blocks[0].shape[1]):
                return None
            blocks.append(matrix)
    except orjson.JSONDecodeError:
        return None
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _blocks(text: bytes) -> Iterator[bytes]:
    """`text` cut at line ends, into pieces of one line at least."""
    begin = 0
    while begin < len(text):
        end = text.find(b"\n", begin + _BLOCK)
        end = end if end >= 0 else len(text)
        yield text[begin:end]
        begin = end + 1


def _rows(block: bytes) -> Floats | None:
    """The rows of `block`, or None when they differ in length or a number is too large. Raises JSONDecodeError."""
    rows = orjson.loads(b"[[%b]]" % block.replace(b"\n", b"],["))
    columns = len(rows[0])
    if {columns} != set(map(len, rows)):
        return None
    flat = np.fromiter(itertools.chain.from_iterable(rows), dtype=np.float64, count=columns * len(rows))
    matrix = narrowed(flat).reshape(len(rows), columns)
    return None if np.isinf(matrix).any() else matrix


def _one_row(values: list[float]) -> Floats | None:
    """A row without NumPy's checks, which cost more than the conversion of a few numbers."""
    if min(values) <= -LIMIT or max(values) >= LIMIT:
        return None
    return np.array([values], dtype=np.float32)


def read_carefully(body: bytes) -> Floats:
    """Any CSV, a cell at a time. Raises UserError naming the first row and column at fault."""
    lines = text_lines(body)
    if not lines:
        raise UserError("the body holds no records: send at least one line")
    delimiter = sniff(lines[0])
    rows: list[list[float]] = []
    for position, line in enumerate(lines, start=1):
        rows.append(_numbers(line, delimiter, position))
        if len(rows[-1]) != len(rows[0]):
            raise UserError(
                f"row {position}: expected {len(rows[0])} columns as in row 1, got {len(rows[-1])}", row=position
            )
    return narrowed(np.array(rows, dtype=np.float64))


def text_lines(body: bytes) -> list[str]:
    """The lines of `body`; the mark of UTF-8 at its beginning and blank lines at its end do not count."""
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _numbers(line: str, delimiter: str, row: int) -> list[float]:
    if not line.strip(" "):
        raise UserError(f"row {row} is blank: send one record per line", row=row)
    try:
        texts = cells(line, delimiter)
    except ValueError as error:
        raise UserError(f"row {row} {error}", row=row) from error
    numbers = []
    for column, text in enumerate(texts, start=1):
        try:
            numbers.append(number(text))
        except ValueError as error:
            raise UserError(_explain(texts, row, column, str(error)), row=row, field=f"column {column}") from error
    return numbers


def _explain(texts: Sequence[str], row: int, column: int, reason: str) -> str:
    text = f"row {row}, column {column}: {reason}"
    if looks_like_libsvm(texts[column - 1]):
        return f"{text}; this looks like LIBSVM: send it as text/libsvm"
    if row == 1 and reason.endswith("is not a number"):
        return f"{text}; if this is a header row, remove it"
    return text


def encode(table: Table) -> bytes:
    """The lines of `table`, label first and weight second where it has them; missing is an empty cell."""
    if table.is_sparse:
        raise UserError("CSV cannot tell an absent entry from a zero: write a sparse table as libsvm")
    columns = [column for column in (table.labels, table.weights) if column is not None]
    matrix = np.column_stack([*columns, table.features]) if columns else np.asarray(table.features)
    return b"".join(_written(matrix.astype(np.float64).tolist()))


def _written(rows: Sequence[Sequence[float]]) -> Iterator[bytes]:
    for row in rows:
        yield (",".join("" if value != value else repr(value) for value in row) + "\n").encode()  # noqa: PLR0124
