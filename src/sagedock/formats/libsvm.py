"""LIBSVM text: `label[:weight] [qid:n] index:value ...`, indices as written, what is absent is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sagedock import core
from sagedock.errors import UserError
from sagedock.formats.cells import number, shown
from sagedock.formats.csv import text_lines
from sagedock.formats.rows import WIDEST, csr
from sagedock.formats.table import Table

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NOT_LIBSVM = "this is not 'LIBSVM' format, which is: label index:value index:value ..."


@dataclass
class Entries:
    """The records read so far, in the parts of a CSR matrix."""

    labels: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])


def decode(body: bytes) -> Table:
    """The records of a request; a label before the entries is ignored, and so is qid.

    Raises UserError naming the row of what is not index:value.
    """
    matrix = _read_natively(body)
    return Table(features=read_carefully(body) if matrix is None else matrix)


def _read_natively(body: bytes) -> csr_matrix | None:
    """The records as the compiled core reads them; None without it, and when it leaves `body` to the careful reader."""
    found = None if core.native is None else core.native.libsvm(body)
    if found is None:
        return None
    from scipy.sparse import csr_matrix

    values, keys, starts = found
    width = int(keys.max()) + 1 if len(keys) else 0
    return csr_matrix((values, keys, starts), shape=(len(starts) - 1, width))


def read_carefully(body: bytes) -> csr_matrix:
    """Any LIBSVM request, a token at a time. Raises UserError naming the row of what is not index:value."""
    lines = text_lines(body)
    if not lines:
        raise UserError("the body holds no records: send at least one line")
    entries = Entries()
    for row, line in enumerate(lines, start=1):
        tokens = line.partition("#")[0].split()
        try:
            if tokens and ":" not in tokens[0]:
                number(tokens[0])
                del tokens[0]
            read_entries(tokens, entries)
        except ValueError as error:
            raise UserError(f"row {row}: {error}; {NOT_LIBSVM}", row=row) from error
    return _matrix(entries)


def read_entries(tokens: list[str], entries: Entries) -> None:
    """Append one record, given without its label. Raises ValueError for a token that is not index:value."""
    if tokens and tokens[0].startswith("qid:"):
        entries.groups.append(_index(tokens[0].removeprefix("qid:"), tokens[0]))
        tokens = tokens[1:]
    for token in tokens:
        index, colon, value = token.partition(":")
        if not colon or not value:
            raise ValueError(f"{shown(token)} is not index:value")
        entries.keys.append(_index(index, token))
        entries.values.append(number(value))
    entries.starts.append(len(entries.keys))


def _index(text: str, token: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"{shown(token)} has no whole number before its colon")
    return int(text)


def _matrix(entries: Entries) -> csr_matrix:
    keys = np.array(entries.keys, dtype=np.int64)
    width = int(keys.max()) + 1 if len(keys) else 0
    if width > WIDEST:
        raise UserError(f"index {width - 1} is above {WIDEST - 1}, the highest that is read")
    return csr(np.array(entries.values, dtype=np.float64), keys, np.array(entries.starts, dtype=np.int64), width)


def encode(table: Table) -> bytes:
    """One line per row: label and weight where it has them, else 0, then qid, then index:value of what is present."""
    matrix: Any = table.features
    lines = []
    for row in range(table.rows):
        if table.is_sparse:
            start, end = matrix.indptr[row : row + 2]
            keys, values = matrix.indices[start:end], matrix.data[start:end]
        else:
            keys = np.flatnonzero(~np.isnan(matrix[row]))
            values = matrix[row, keys]
        tokens = [_head(table, row)]
        if table.groups is not None:
            tokens.append(f"qid:{int(table.groups[row])}")
        tokens += [f"{key}:{value!r}" for key, value in zip(keys.tolist(), values.astype(float).tolist(), strict=True)]
        lines.append(" ".join(tokens) + "\n")
    return "".join(lines).encode()


def _head(table: Table, row: int) -> str:
    label = repr(float(table.labels[row])) if table.labels is not None else "0"
    return label if table.weights is None else f"{label}:{float(table.weights[row])!r}"
