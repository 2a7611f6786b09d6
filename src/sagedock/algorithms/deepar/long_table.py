"""Long tables of series: a row for each item and time, as CSV or Parquet, read into columns and written from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import frequency
from sagedock.algorithms.deepar.record import shown
from sagedock.contracts.files import replacing
from sagedock.errors import UserError

PARQUET_END = ".parquet"
_MISSING = ("", "NaN", "nan", "NA", "null", "NULL")
_FIRST_ROW = {PARQUET_END: 1}
_HEADED = 2  # rows of CSV are counted as an editor shows them, the header being row 1


@dataclass(frozen=True)
class Columns:
    """What the columns of a long table are called."""

    item: str | None = "item"
    """None for a table of one series."""
    time: str = "timestamp"
    target: str = "target"
    features: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every one of them, once: an item may be a category, too."""
        item = () if self.item is None else (self.item,)
        return tuple(dict.fromkeys((*item, self.time, self.target, *self.features, *self.categories)))


@dataclass(frozen=True)
class LongTable:
    """The columns of a file, (rows,) each: items and categories as text, times as datetime64[s], numbers as doubles."""

    file: Path
    items: NDArray[Any]
    times: NDArray[Any]
    target: NDArray[np.float64]
    features: Mapping[str, NDArray[np.float64]]
    categories: Mapping[str, NDArray[Any]]

    @classmethod
    def read(cls, file: Path, columns: Columns) -> LongTable:
        """Raises UserError naming the row, the column and the value of what cannot be read."""
        table = _table(file, columns.all)
        reader = _Reader(file, table)
        items = np.full(table.num_rows, "") if columns.item is None else reader.texts(columns.item)
        return cls(
            file,
            items,
            reader.times(columns.time),
            reader.numbers(columns.target),
            {name: reader.numbers(name) for name in columns.features},
            {name: reader.texts(name) for name in columns.categories},
        )

    def row(self, position: int) -> int:
        """What errors call a row, which is counted from 0 here."""
        return position + _FIRST_ROW.get(self.file.suffix.lower(), _HEADED)

    def refuse(self, position: int, field: str, text: str) -> NoReturn:
        """Raise UserError for a row."""
        raise UserError(f"{self.file}, row {self.row(position)}: {text}", field=field, row=self.row(position))


@dataclass(frozen=True)
class _Reader:
    file: Path
    table: Any

    def texts(self, name: str) -> NDArray[Any]:
        column = self._column(name)
        self._require_present(name, column.is_null().to_numpy(zero_copy_only=False))
        return np.asarray(column.cast("string").to_pylist())

    def times(self, name: str) -> NDArray[Any]:
        from pyarrow import ArrowInvalid, types

        column = self._column(name)
        self._require_present(name, column.is_null().to_numpy(zero_copy_only=False))
        if types.is_timestamp(column.type) and column.type.tz is not None:
            raise UserError(f"{self.file}: column {name} has the time zone {column.type.tz}: give times without one")
        try:
            return np.asarray(column.cast("timestamp[us]").to_numpy(zero_copy_only=False).astype("datetime64[s]"))
        except ArrowInvalid:
            return np.array([self._moment(name, row, text) for row, text in enumerate(column.to_pylist())])

    def numbers(self, name: str) -> NDArray[np.float64]:
        from pyarrow import ArrowInvalid, types

        column = self._column(name)
        if types.is_string(column.type):
            try:
                column = column.cast("double")
            except ArrowInvalid:
                found = [self._number(name, row, text) for row, text in enumerate(column.to_pylist())]
                return np.array(found, np.float64)
        found = column.cast("double", safe=False).to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(np.isinf(found))
        if len(wrong):
            self._refuse(int(wrong[0]), name, f"{name} is infinite: give a finite number, or leave it empty")
        return np.asarray(found)

    def _column(self, name: str) -> Any:
        return self.table.column(name).combine_chunks()

    def _moment(self, name: str, row: int, text: object) -> Any:
        try:
            return np.datetime64(frequency.moment(str(text)), "s")
        except ValueError as error:
            self._refuse(row, name, f"{name} is {shown(str(text))}: {error}")

    def _number(self, name: str, row: int, text: str | None) -> float:
        try:
            return float("nan" if text is None else text)
        except ValueError:
            self._refuse(row, name, f"{name} is {shown(str(text))}, not a number (empty means missing)")

    def _require_present(self, name: str, missing: NDArray[np.bool_]) -> None:
        if missing.any():
            self._refuse(int(np.flatnonzero(missing)[0]), name, f"{name} is empty: give a value")

    def _refuse(self, position: int, name: str, text: str) -> NoReturn:
        row = position + _FIRST_ROW.get(self.file.suffix.lower(), _HEADED)
        raise UserError(f"{self.file}, row {row}: {text}", field=name, row=row)


def write(file: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns of equal length, as CSV or by the end of its name as Parquet, whole or not at all."""
    import pyarrow
    from pyarrow import csv, parquet

    table = pyarrow.table(dict(columns))
    with replacing(file) as temporary:
        if file.suffix.lower() == PARQUET_END:
            parquet.write_table(table, temporary)
        else:
            csv.write_csv(table, temporary)


def _table(file: Path, names: Sequence[str]) -> Any:
    import pyarrow
    from pyarrow import csv, parquet

    try:
        if file.suffix.lower() == PARQUET_END:
            schema = parquet.read_schema(file)
            _require_columns(file, names, schema.names)
            return parquet.read_table(file, columns=list(names))
        with csv.open_csv(file) as reader:
            _require_columns(file, names, reader.schema.names)
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pyarrow.string()),
            include_columns=list(names),
            null_values=list(_MISSING),
            strings_can_be_null=True,
        )
        return csv.read_csv(file, convert_options=options)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise UserError(f"{file} is no table that can be read: {str(error).splitlines()[0][:200]}") from error


def _require_columns(file: Path, wanted: Sequence[str], found: Sequence[str]) -> None:
    absent = [name for name in wanted if name not in found]
    if absent:
        raise UserError(
            f"{file} has no column {absent[0]!r}: its columns are {', '.join(map(str, found))[:200]}; say which is "
            "which",
            field=absent[0],
        )
