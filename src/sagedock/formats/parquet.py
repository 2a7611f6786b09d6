"""Parquet: training data with the label in column 0, and requests of features only. Nulls are missing."""

from __future__ import annotations

import io
import mmap
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from sagedock.contracts.channels import Source
from sagedock.errors import PayloadTooLarge, UserError
from sagedock.formats.blocks import GrowingArray
from sagedock.formats.cells import narrowed
from sagedock.formats.table import Floats, Part, Table

_BATCH_ROWS = 16_384
_MAGIC = b"PAR1"
MOST_CELLS = 32 << 20
"""Numbers in one request: zeros compress to nothing, and what they unpack to would fill any memory."""
_CELL_BYTES = 16
"""What a number may take while it is unpacked, on average."""


class _Reading:
    """What the files read so far hold; `names` are the columns that they have in common, empty before the first."""

    def __init__(self, leading: int, most_cells: int | None = None) -> None:
        self.leading = leading
        self.most_cells = most_cells
        self.names: list[str] = []
        self.features = GrowingArray(0)
        self.labels = GrowingArray()

    def require_room(self, rows: int, unpacked_bytes: int) -> None:
        """Raises PayloadTooLarge when `rows` more, or what they unpack to, are above the limit."""
        if self.most_cells is None:
            return
        cells = (len(self.features) + rows) * len(self.names)
        if cells > self.most_cells or unpacked_bytes > self.most_cells * _CELL_BYTES:
            raise PayloadTooLarge(
                f"the body unpacks to {cells} numbers in {unpacked_bytes} bytes, and a request holds at most "
                f"{self.most_cells} numbers: send fewer rows at a time"
            )

    def table(self, read: str) -> Table:
        if not len(self.features):
            raise UserError(f"no records in {read}: send at least one")
        return Table(features=self.features.finished(), labels=self.labels.finished() if self.leading else None)


@dataclass(frozen=True)
class _Batch:
    """Some rows of a file, its columns by name; `first` is the number of the first row, from 1."""

    file: str
    first: int
    rows: int
    columns: Sequence[tuple[str, Floats]]

    def fill(self, labels: Floats, features: Floats, leading: int) -> None:
        """The numbers into `features` (rows, columns), those of `leading` columns into `labels`. Raises UserError."""
        for position, (name, values) in enumerate(self.columns):
            wrong = np.flatnonzero(np.isinf(values) if position >= leading else ~np.isfinite(values))
            if len(wrong):
                what = "missing or infinite" if position < leading else "infinite as a 32-bit float"
                row = self.first + int(wrong[0])
                text = f"{self.file}, row {row}: column {name!r} is {what}: give a finite number"
                raise UserError(text, field=name, row=row)
            if position < leading:
                labels[...] = values
            else:
                features[:, position - leading] = values


def decode(body: bytes) -> Table:
    """The records of a request, features only.

    Raises UserError naming row and column, and PayloadTooLarge for more than MOST_CELLS numbers.
    """
    reading = _Reading(leading=0, most_cells=MOST_CELLS)
    _read_file(io.BytesIO(body), "the body", reading)
    return reading.table("the body")


def read(sources: Iterable[Source]) -> Table:
    """Training data: every row of `sources`, column 0 being the label; a pipe is kept in a temporary file first.

    Raises UserError naming file, column and row of what is not numeric, and files with other columns than the first.
    """
    reading = _Reading(leading=1)
    names = []
    for source in sources:
        names.append(source.name)
        for stream in _streams(source):
            _read_file(stream, source.name, reading)
    return reading.table(", ".join(names))


def parts(sources: Iterable[Source], columns: int, *, labelled: bool) -> Iterator[Part]:
    """The rows of `sources` some at a time, with `columns` feature columns after the label, where there is one.

    Raises as `read` does, and UserError for another number of columns.
    """
    reading = _Reading(leading=int(labelled))
    for source in sources:
        for stream in _streams(source):
            for batch in _batches(stream, source.name, reading):
                found = len(reading.names) - reading.leading
                if found != columns:
                    raise UserError(
                        f"{source.name}: expected {columns} feature columns, got {found}: give so many, or set "
                        "feature_dim to their number"
                    )
                labels = np.empty(batch.rows * reading.leading, np.float32)
                features = np.empty((batch.rows, columns), np.float32)
                batch.fill(labels, features, reading.leading)
                yield Part(
                    Table(features, labels=labels if labelled else None),
                    source.name,
                    "row",
                    batch.first,
                    reading.leading,
                )


def encode(table: Table) -> bytes:
    """`table` in parquet: the label first where it has one, missing values null."""
    import pyarrow
    from pyarrow import parquet

    if table.is_sparse:
        raise UserError("parquet cannot tell an absent entry from a zero: write a sparse table as libsvm")
    columns = {} if table.labels is None else {"label": table.labels}
    columns |= {f"feature_{position}": column for position, column in enumerate(np.asarray(table.features).T)}
    arrays = [pyarrow.array(np.ascontiguousarray(column), from_pandas=True) for column in columns.values()]
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(arrays, names=list(columns)), sink)
    return sink.getvalue()


def _streams(source: Source) -> Iterator[BinaryIO]:
    """The file; or each of the parquet objects that stand in a pipe one after another, once it is spooled to a file."""
    if source.path is not None:
        with source.open() as stream:
            yield stream
        return
    with ExitStack() as stack:
        spooled = stack.enter_context(tempfile.TemporaryFile())
        with source.open() as stream:
            shutil.copyfileobj(stream, spooled)
        if not spooled.tell():
            raise UserError(f"no data in {source.name}")
        spooled.flush()
        content = stack.enter_context(mmap.mmap(spooled.fileno(), 0, access=mmap.ACCESS_READ))
        for begin, end in _objects(content):
            yield io.BytesIO(content[begin:end])


def _objects(content: mmap.mmap) -> Iterator[tuple[int, int]]:
    begin = 0
    while (seam := content.find(_MAGIC + _MAGIC, begin)) >= 0:
        yield begin, seam + len(_MAGIC)
        begin = seam + len(_MAGIC)
    yield begin, len(content)


def _read_file(stream: BinaryIO, name: str, reading: _Reading) -> None:
    for batch in _batches(stream, name, reading):
        labels = reading.labels.room(batch.rows * reading.leading)
        batch.fill(labels, reading.features.room(batch.rows), reading.leading)


def _batches(stream: BinaryIO, name: str, reading: _Reading) -> Iterator[_Batch]:
    import pyarrow
    from pyarrow import parquet

    first = 1
    try:
        with parquet.ParquetFile(stream) as file:
            _check_columns(file.schema_arrow, name, reading)
            reading.require_room(file.metadata.num_rows, _unpacked_bytes(file.metadata))
            for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                reading.require_room(batch.num_rows, 0)
                columns = list(zip(batch.schema.names, map(_floats, batch.columns), strict=True))
                yield _Batch(name, first, batch.num_rows, columns)
                first += batch.num_rows
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{name}: not a parquet file, or damaged ({reason}): send the file again, whole") from error


def _unpacked_bytes(metadata: Any) -> int:
    """What the row groups say they unpack to. Their columns are not asked: of damaged ones Arrow ends the process."""
    return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))


def _check_columns(schema: Any, name: str, reading: _Reading) -> None:
    from pyarrow import types

    for column in schema:
        kind = column.type
        numeric = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        if not (numeric or types.is_boolean(kind) or types.is_null(kind)):
            raise UserError(
                f"{name}: column {column.name!r} is {kind}, not numeric: encode it as numbers", field=column.name
            )
    if len(schema) <= reading.leading:
        raise UserError(f"{name}: {len(schema)} columns leave no feature columns")
    if not reading.names:
        reading.names, reading.features = list(schema.names), GrowingArray(len(schema) - reading.leading)
    elif len(reading.names) != len(schema):
        raise UserError(f"{name}: expected {len(reading.names)} columns as in the first file, got {len(schema)}")
    elif reading.names != list(schema.names):
        wrong = next(pair for pair in zip(reading.names, schema.names, strict=True) if pair[0] != pair[1])
        raise UserError(f"{name}: expected column {wrong[0]!r} as in the first file, got {wrong[1]!r}")


def _floats(column: Any) -> Floats:
    import pyarrow

    kind = column.type
    if not (pyarrow.types.is_float32(kind) or pyarrow.types.is_float64(kind)):
        column = column.cast(pyarrow.float64(), safe=False)
    return narrowed(column.to_numpy(zero_copy_only=False))
