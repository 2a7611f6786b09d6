"""Rows, dense and sparse, put together to the features of a Table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError
from sagedock.formats.cells import narrowed
from sagedock.formats.table import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

WIDEST = 2**31 - 1


@dataclass(frozen=True)
class SparseRow:
    """The entries of a row: `values[i]` stands in column `keys[i]`; `width` columns in all."""

    keys: Sequence[int] | NDArray[np.int64]
    values: Sequence[float] | NDArray[np.float64]
    width: int


DenseRow: TypeAlias = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """Features as Table wants them; `dense_columns` as in Table."""

    matrix: Floats | csr_matrix
    dense_columns: int | None = None


def assemble(rows: Sequence[DenseRow | SparseRow]) -> Features:
    """One matrix from `rows`: dense when all are, else CSR as wide as the widest.

    In a CSR matrix a dense row's zeros are stored and its missing values are absent. Raises UserError naming the row
    whose length differs from the first dense one, whose keys do not fit, or that holds an infinite value.
    """
    if not rows:
        raise UserError("the data hold no records: send at least one")
    columns = _dense_columns(rows)
    if any(isinstance(row, SparseRow) for row in rows):
        return Features(_sparse(rows, columns), columns)
    matrix = np.array(rows, dtype=np.float64)
    return Features(_checked(narrowed(matrix)))


def fixed(rows: Sequence[DenseRow | SparseRow], columns: int) -> Floats:
    """The rows as a dense matrix (rows, columns), 0 where a sparse row has nothing; NaN means missing.

    Raises UserError naming the row that is of another width, whose keys do not fit, or that holds an infinite value.
    """
    if not rows:
        raise UserError("the data hold no records: send at least one")
    for position, row in enumerate(rows, start=1):
        width = row.width if isinstance(row, SparseRow) else len(row)
        if width != columns:
            raise UserError(f"row {position}: expected {columns} feature columns, got {width}", row=position)
    if not any(isinstance(row, SparseRow) for row in rows):
        return _checked(narrowed(np.array(rows, dtype=np.float64)))
    matrix = np.zeros((len(rows), columns), dtype=np.float64)
    for position, row in enumerate(rows):
        if isinstance(row, SparseRow):
            _check_keys(row, position + 1)
            _check_repeated(row, position + 1)
            matrix[position, np.asarray(row.keys, dtype=np.int64)] = row.values
        else:
            matrix[position] = row
    return _checked(narrowed(matrix))


def require_present(matrix: Floats) -> None:
    """Raise UserError naming the first row and column, counted from 1, whose value is missing."""
    place = first_missing(matrix)
    if place is not None:
        row, column = place
        raise UserError(
            f"row {row}, column {column}: the value is missing: give every record every value, or leave it out",
            field=f"column {column}",
            row=row,
        )


def first_missing(matrix: Floats) -> tuple[int, int] | None:
    """Row and column, counted from 1, of the first NaN; None where there is none."""
    missing = np.isnan(matrix)
    if not missing.any():
        return None
    row, column = divmod(int(missing.argmax()), matrix.shape[1])
    return row + 1, column + 1


def placed(error: UserError, begins: Sequence[tuple[str, int]]) -> UserError:
    """`error` about a row of all sources together, as one about a record of its own source."""
    if error.row is None:
        return error
    name, begin = next((name, begin) for name, begin in reversed(begins) if begin < error.row)
    reason = str(error).removeprefix(f"row {error.row}: ")
    return UserError(f"{name}, record {error.row - begin}: {reason}", field=error.field, row=error.row - begin)


def csr(values: NDArray[np.float64], keys: NDArray[np.int64], starts: NDArray[np.int64], width: int) -> csr_matrix:
    """A CSR matrix with sorted keys; NaN entries stay. Raises UserError naming the row at fault."""
    from scipy.sparse import csr_matrix

    matrix = csr_matrix((narrowed(values), keys, starts), shape=(len(starts) - 1, width))
    matrix.sort_indices()
    entry = repeated(matrix)
    if entry is not None:
        raise _repeated(*entry)
    infinite = np.flatnonzero(np.isinf(matrix.data))
    if len(infinite):
        row = int(np.searchsorted(matrix.indptr, infinite[0], side="right"))
        raise _infinite(row, int(matrix.indices[infinite[0]]))
    return matrix


def repeated(matrix: csr_matrix) -> tuple[int, int] | None:
    """The first row (from 1) of `matrix`, its indices sorted, that holds a column twice, and the column."""
    same = np.flatnonzero(matrix.indices[1:] == matrix.indices[:-1])
    rows = np.searchsorted(matrix.indptr, same, side="right")
    inside = np.flatnonzero(same + 1 < matrix.indptr[rows])
    return None if not len(inside) else (int(rows[inside[0]]), int(matrix.indices[same[inside[0]]]))


def _dense_columns(rows: Sequence[DenseRow | SparseRow]) -> int | None:
    columns: int | None = None
    for position, row in enumerate(rows, start=1):
        if isinstance(row, SparseRow):
            continue
        if columns is None:
            columns = len(row)
        if len(row) != columns:
            raise UserError(
                f"row {position}: expected {columns} feature columns as in the first row, got {len(row)}", row=position
            )
    return columns


def _sparse(rows: Sequence[DenseRow | SparseRow], dense_columns: int | None) -> csr_matrix:
    values: list[NDArray[np.float64]] = []
    keys: list[NDArray[np.int64]] = []
    width = dense_columns or 0
    for position, row in enumerate(rows, start=1):
        if isinstance(row, SparseRow):
            _check_keys(row, position)
            if dense_columns is not None and row.width > dense_columns:
                raise UserError(
                    f"row {position}: shape {row.width} is wider than the {dense_columns} columns of the dense rows",
                    row=position,
                )
            width = max(width, row.width)
            keys.append(np.asarray(row.keys, dtype=np.int64))
            values.append(np.asarray(row.values, dtype=np.float64))
        else:
            dense = np.asarray(row, dtype=np.float64)
            present = np.flatnonzero(~np.isnan(dense))
            keys.append(present)
            values.append(dense[present])
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row_keys) for row_keys in keys], out=starts[1:])
    return csr(np.concatenate(values), np.concatenate(keys), starts, width)


def _check_keys(row: SparseRow, position: int) -> None:
    if len(row.keys) != len(row.values):
        raise UserError(f"row {position}: {len(row.keys)} keys for {len(row.values)} values", row=position)
    if not 0 <= row.width <= WIDEST:
        raise UserError(f"row {position}: shape {row.width} is not between 0 and {WIDEST}", row=position)
    if len(row.keys) and not 0 <= int(min(row.keys)) <= int(max(row.keys)) < row.width:
        wrong = max(row.keys) if max(row.keys) >= row.width else min(row.keys)
        raise UserError(
            f"row {position}: key {wrong} is not between 0 and {row.width - 1}, its shape's end", row=position
        )


def _check_repeated(row: SparseRow, position: int) -> None:
    keys = np.sort(np.asarray(row.keys, dtype=np.int64))
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        raise _repeated(position, int(keys[twice[0]]))


def _repeated(row: int, column: int) -> UserError:
    return UserError(f"row {row}: column {column} is given twice: give it once", row=row)


def _checked(matrix: Floats) -> Floats:
    if np.isinf(matrix).any():
        row, column = (int(index[0]) for index in np.nonzero(np.isinf(matrix)))
        raise _infinite(row + 1, column)
    return matrix


def _infinite(row: int, column: int) -> UserError:
    return UserError(
        f"row {row}: the value of feature {column} (counted from 0) is infinite as a 32-bit float: "
        "give a finite number, or leave it out if it is missing",
        row=row,
    )
