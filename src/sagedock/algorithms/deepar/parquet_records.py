"""Records in Parquet: a row for each series, with lists of numbers in its columns; null and nan are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import record
from sagedock.algorithms.deepar.layout import Layout, Place
from sagedock.algorithms.deepar.series import Floats, Series
from sagedock.errors import UserError

_BATCH_ROWS = 256
_FIELDS = ("start", "target", "cat", "dynamic_feat")
_REQUIRED = ("start", "target")


@dataclass(frozen=True)
class Row:
    """A row of a file, `number` from 1; None for what it does not have."""

    number: int
    start: str | datetime | None
    target: NDArray[np.float64] | None
    cat: NDArray[np.int64] | None
    dynamic_feat: Sequence[NDArray[np.float64] | None] | None

    def present(self, field: str) -> int:
        """How much of cat or dynamic_feat there is."""
        found = getattr(self, field)
        return 0 if found is None else len(found)

    def series(self, layout: Layout, place: Place) -> Series:
        """The series that it is; raises UserError."""
        start = self.start
        begin = layout.frequency.ordinal(start) if isinstance(start, datetime) else record.start(start, layout, place)
        if self.target is None:
            layout.refuse(place, "target", "target is missing")
        target = record.finite(self.target, "target", layout, place)
        features = None if layout.features is None else self._features(layout, place)
        return layout.series(begin, target, self.cat if layout.categories is not None else None, features, place)

    def _features(self, layout: Layout, place: Place) -> list[Floats]:
        found = []
        for number, row in enumerate(self.dynamic_feat or ()):
            missing = np.flatnonzero(np.isnan(row)) if row is not None else [0]
            if row is None or len(missing):
                text = f"dynamic_feat[{number}][{missing[0]}] is missing, and features need a value at every point"
                layout.refuse(place, "dynamic_feat", text)
            found.append(record.finite(row, f"dynamic_feat[{number}]", layout, place))
        return found


def rows(stream: BinaryIO, name: str) -> Iterator[Row]:
    """Every row of a file. Raises UserError naming the file and, of a column of another type, the column."""
    import pyarrow
    from pyarrow import parquet

    first = 1
    try:
        with parquet.ParquetFile(stream) as file:
            fields = _fields(file.schema_arrow, name)
            for batch in file.iter_batches(_BATCH_ROWS, columns=fields, use_threads=False):
                yield from _of_batch(batch, name, first)
                first += batch.num_rows
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{name}: not a parquet file, or damaged ({reason}): send the file again, whole") from error


def _fields(schema: Any, name: str) -> list[str]:
    """The columns that are read."""
    absent = [field for field in _REQUIRED if field not in schema.names]
    if absent:
        raise UserError(
            f"{name}: no column {absent[0]}, and columns {', '.join(schema.names)[:100]}: name the columns start, "
            "target and, where there are such, cat and dynamic_feat",
            field=absent[0],
        )
    return [field for field in _FIELDS if field in schema.names]


def _of_batch(batch: Any, name: str, first: int) -> Iterator[Row]:
    columns: dict[str, Sequence[Any]] = {field: [None] * batch.num_rows for field in _FIELDS}
    for field in batch.schema.names:
        columns[field] = _READ[field](batch.column(field), name)
    for number in range(batch.num_rows):
        yield Row(first + number, *(columns[field][number] for field in _FIELDS))


def _starts(column: Any, name: str) -> Sequence[Any]:
    from pyarrow import types

    kind = column.type
    if types.is_timestamp(kind) and kind.tz is not None:
        raise UserError(f"{name}: column start has the time zone {kind.tz}: give times without one", field="start")
    if types.is_timestamp(kind) or types.is_date(kind):
        return column.cast("timestamp[s]", safe=False).to_pylist()  # type: ignore[no-any-return] # pyarrow has no types
    if types.is_string(kind) or types.is_large_string(kind):
        return column.to_pylist()  # type: ignore[no-any-return] # as above
    raise UserError(f"{name}: column start is {kind}: give text YYYY-MM-DD HH:MM:SS or timestamps", field="start")


def _targets(column: Any, name: str) -> Sequence[Any]:
    return _lists(column, "target", "double", name)


def _cats(column: Any, name: str) -> Sequence[Any]:
    from pyarrow import types

    if types.is_integer(column.type):
        return [None if value is None else np.array([value]) for value in column.to_pylist()]
    return _lists(column, "cat", "int64", name)


def _dynamic_feats(column: Any, name: str) -> Sequence[Any]:
    inner = _as_lists(column, "dynamic_feat", name).values
    return _cut(column, _lists(inner, "dynamic_feat", "double", name), "dynamic_feat", name)


_READ = {"start": _starts, "target": _targets, "cat": _cats, "dynamic_feat": _dynamic_feats}


def _lists(column: Any, field: str, kind: str, name: str) -> Sequence[Any]:
    """An array for each row of a column of lists, and None for a null."""
    return _cut(column, _numbers(_as_lists(column, field, name).values, field, kind, name), field, name)


def _cut(column: Any, values: Sequence[Any], field: str, name: str) -> list[Any]:
    """What of `values` belongs to each row of a column of lists."""
    offsets = _as_lists(column, field, name).offsets.to_numpy()
    spans = zip(offsets, offsets[1:], column.is_valid().to_pylist(), strict=False)
    return [values[begin:end] if there else None for begin, end, there in spans]


def _as_lists(column: Any, field: str, name: str) -> Any:
    from pyarrow import list_, types

    if types.is_fixed_size_list(column.type):
        return column.cast(list_(column.type.value_type))
    if types.is_list(column.type) or types.is_large_list(column.type):
        return column
    raise _not_lists(column.type, field, name)


def _numbers(values: Any, field: str, kind: str, name: str) -> Any:
    """Arrow's numbers as an array; what is missing becomes NaN, where there may be such."""
    from pyarrow import ArrowInvalid, types

    found = values.type
    if not (types.is_integer(found) or types.is_floating(found) or types.is_decimal(found) or types.is_null(found)):
        raise _not_lists(found, field, name)
    if kind == "int64" and values.null_count:
        raise UserError(f"{name}: column {field} holds nulls: number every category from 0", field=field)
    try:
        return values.cast(kind, safe=kind == "int64").to_numpy(zero_copy_only=False)
    except ArrowInvalid as error:
        raise UserError(f"{name}: column {field}: {error}: give whole numbers from 0", field=field) from error


def _not_lists(kind: Any, field: str, name: str) -> UserError:
    wanted = "lists of lists of numbers" if field == "dynamic_feat" else "lists of numbers"
    return UserError(f"{name}: column {field} holds {kind}: give {wanted}", field=field)
