"""Training data in CSV, parsed a block of lines at a time: by the compiled core, or by a columnar engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.contracts.channels import Source
from sagedock.errors import UserError
from sagedock.formats.blocks import Block, GrowingArray, blocks
from sagedock.formats.cells import narrowed, number
from sagedock.formats.csv import cells, looks_like_libsvm, sniff
from sagedock.formats.table import Floats, Part, Table

_EMPTY = ("", " ")
_GZIP = b"\x1f\x8b"
_STRANGE_NAN = re.compile(rb"[-+][nN]|\(")
"""The engine takes -nan and nan(1) for missing; we take nan only, in any case."""


@dataclass(frozen=True)
class Layout:
    """What stands in the leading columns: a label or not, a weight or not."""

    labelled: bool
    weighted: bool

    @property
    def leading(self) -> int:
        return int(self.labelled) + int(self.weighted)


class _Destination(Protocol):
    """Where the rows of a block go; `columns` counts those of a line and is None before the first one."""

    layout: Layout
    columns: int | None

    def room(self, rows: int, columns: int) -> tuple[list[Floats], Floats]:
        """Where the next rows go: an array (rows,) for each leading column, and one for the features."""

    def give_back(self, rows: int) -> None:
        """Take back the room of so many rows, which were not read after all."""


class _OneBlock:
    """The rows of the latest block alone."""

    def __init__(self, layout: Layout, columns: int) -> None:
        self.layout = layout
        self.columns: int | None = columns
        self._leading: list[Floats] = []
        self._features: Floats = np.empty((0, columns), np.float32)

    def room(self, rows: int, columns: int) -> tuple[list[Floats], Floats]:
        self._leading = [np.empty(rows, np.float32) for _ in range(self.layout.leading)]
        self._features = np.empty((rows, columns - self.layout.leading), np.float32)
        return self._leading, self._features

    def give_back(self, rows: int) -> None:
        """The next block has its own."""

    def table(self) -> Table:
        return _table(self.layout, self._leading, self._features)


class _Reading:
    """The rows read so far."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.columns: int | None = None
        self.leading = [GrowingArray() for _ in range(layout.leading)]
        self.features = GrowingArray(0)

    def room(self, rows: int, columns: int) -> tuple[list[Floats], Floats]:
        if self.columns is None:
            self.columns = columns
            self.features = GrowingArray(columns - self.layout.leading)
        return [array.room(rows) for array in self.leading], self.features.room(rows)

    def give_back(self, rows: int) -> None:
        for array in (*self.leading, self.features):
            array.give_back(rows)
        if not len(self.features):
            self.columns = None

    def table(self) -> Table:
        return _table(self.layout, [array.finished() for array in self.leading], self.features.finished())


def _table(layout: Layout, leading: Sequence[Floats], features: Floats) -> Table:
    return Table(
        features=features,
        labels=leading[0] if layout.labelled else None,
        weights=leading[-1] if layout.weighted else None,
    )


def read(sources: Iterable[Source], layout: Layout) -> Table:
    """All rows of `sources`, in their order.

    Raises UserError naming file, line, column and value of what is not a number, and lines whose columns differ.
    """
    reading = _Reading(layout)
    names = []
    for source in sources:
        names.append(source.name)
        for block, delimiter in delimited(source):
            _take(source.name, block, delimiter, reading)
    if reading.columns is None:
        raise UserError(f"no records in {', '.join(names)}")
    return reading.table()


def parts(sources: Iterable[Source], layout: Layout, columns: int) -> Iterator[Part]:
    """The rows of `sources` some at a time, in their order, each with `columns` feature columns.

    Raises as `read` does, and UserError for another number of columns; no rows at all are no error.
    """
    for source in sources:
        for block, delimiter in delimited(source):
            yield part(source.name, block, delimiter, layout, columns)


def part(name: str, block: Block, delimiter: str, layout: Layout, columns: int) -> Part:
    """The rows of a block of the source `name`, each with `columns` feature columns. Raises as `parts` does."""
    width, found = layout.leading + columns, _columns(block, delimiter)
    if block.line == 1 and found != width:
        raise _other_width(name, layout, columns, found)
    destination = _OneBlock(layout, width)
    _take(name, block, delimiter, destination)
    return Part(destination.table(), name, "line", block.line, layout.leading)


def _other_width(name: str, layout: Layout, columns: int, found: int) -> UserError:
    after = " after the label" if layout.labelled else ""
    hint = ""
    if not layout.labelled and found == columns + 1:
        hint = "; if the first column is a label, say so (text/csv;label_size=1)"
    return UserError(
        f"{name}, line 1: expected {columns} feature columns{after}, got {max(0, found - layout.leading)}: give every "
        f"line so many, or set feature_dim to their number{hint}"
    )


def delimited(source: Source) -> Iterator[tuple[Block, str]]:
    """The blocks of a source, each with its delimiter. Raises UserError for a header and for what is no text."""
    delimiter = ""
    with source.open() as stream:
        for block in blocks(stream, source.name):
            if not delimiter:
                delimiter = sniff(block.first_line)
                _refuse_header(source.name, block, delimiter)
            yield block, delimiter


def _take(name: str, block: Block, delimiter: str, destination: _Destination) -> None:
    """Read the rows of `block` into `destination`. Raises UserError."""
    leading = _read_natively(block, delimiter, destination)
    if leading is None:
        leading = _append(name, block, delimiter, destination)
    _check_leading(name, block, leading, destination.layout)


def _read_natively(block: Block, delimiter: str, reading: _Destination) -> list[Floats] | None:
    """Append the rows of `block` by the compiled core; the leading columns, or None when it does not read them."""
    columns = reading.columns or _columns(block, delimiter)
    if core.native is None or columns <= reading.layout.leading:
        return None
    leading, features = reading.room(block.lines, columns)
    if core.native.csv_block(block.memory, delimiter, leading, features):
        return leading
    reading.give_back(block.lines)
    return None


def _append(name: str, block: Block, delimiter: str, reading: _Destination) -> list[Floats]:
    """Append the rows of `block` by the engine or with care; the leading columns. Raises UserError."""
    matrix = _parse(block, delimiter, reading.columns)
    if matrix is None:
        matrix = _read_carefully(name, block, delimiter, reading.columns)
    if matrix.shape[1] <= reading.layout.leading:
        _refuse_narrow(name, matrix.shape[1], delimiter)
    leading, features = reading.room(*matrix.shape)
    for position, column in enumerate(leading):
        column[...] = matrix[:, position]
    features[...] = matrix[:, reading.layout.leading :]
    return leading


def _parse(block: Block, delimiter: str, columns: int | None) -> Floats | None:
    """The numbers of `block`; None when the engine refuses it, or reads more or less into it than we do."""
    import pyarrow
    from pyarrow import csv as engine

    if block.has_blank_line:
        return None  # the engine would see missing values in it
    columns = columns or _columns(block, delimiter)
    names = [str(position) for position in range(columns)]
    try:
        table = engine.read_csv(
            pyarrow.BufferReader(block.text),
            engine.ReadOptions(column_names=names, use_threads=False, block_size=len(block.text) + 1),
            engine.ParseOptions(
                delimiter=delimiter, quote_char='"' if b'"' in block.text else False, ignore_empty_lines=False
            ),
            engine.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.float64()),
                null_values=_EMPTY,
                quoted_strings_can_be_null=True,
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    return _filled(table, columns, block) if table.num_rows == block.lines else None


def _columns(block: Block, delimiter: str) -> int:
    try:
        return len(cells(block.first_line, delimiter))
    except ValueError:
        return 1


def _filled(table: Any, columns: int, block: Block) -> Floats | None:
    matrix = np.empty((table.num_rows, columns), dtype=np.float32)
    missing = 0
    for position, column in enumerate(table.columns):
        missing += column.null_count
        matrix[:, position] = narrowed(column.to_numpy())
    if np.isfinite(matrix).all():
        return matrix
    strange = np.count_nonzero(np.isnan(matrix)) > missing and _STRANGE_NAN.search(block.text)
    return None if strange or np.isinf(matrix).any() else matrix


def _read_carefully(name: str, block: Block, delimiter: str, columns: int | None) -> Floats:
    """A second look at a block that the engine refused, a cell at a time. Raises UserError naming the place."""
    rows: list[list[float]] = []
    for line, text in enumerate(_lines(block), start=block.line):
        rows.append(_numbers(name, line, text, delimiter))
        columns = columns or len(rows[0])
        if len(rows[-1]) != columns:
            raise UserError(
                f"{name}, line {line}: expected {columns} columns as in the lines before, got {len(rows[-1])}: "
                "give every line the same columns"
            )
    return narrowed(np.array(rows, dtype=np.float64))


def _lines(block: Block) -> list[str]:
    text = block.text.decode("utf-8", "replace").removesuffix("\n")
    return [line.removesuffix("\r") for line in text.split("\n")]


def _numbers(name: str, line: int, text: str, delimiter: str) -> list[float]:
    if not text:
        raise UserError(f"{name}, line {line}: the line is blank: remove it")
    try:
        texts = cells(text, delimiter)
    except ValueError as error:
        raise UserError(f"{name}, line {line}: {error}") from error
    numbers = []
    for column, cell in enumerate(texts, start=1):
        try:
            numbers.append(number(cell))
        except ValueError as error:
            raise UserError(
                f"{name}, line {line}, column {column}: {error}{_remedy(cell, str(error), delimiter)}",
                field=f"column {column}",
            ) from error
    return numbers


def _remedy(cell: str, error: str, delimiter: str) -> str:
    if looks_like_libsvm(cell):
        return "; this looks like LIBSVM: declare the channel's ContentType as text/libsvm"
    if not error.endswith("is not a number"):
        return ""  # it says what to do
    if delimiter == "," and ";" in cell:
        return "; with semicolons between cells, write decimals with a point, not a comma"
    if "\r" in cell:
        return "; end lines with LF or CR LF, not with CR alone"
    return "; encode text columns as numbers, and leave missing cells empty"


def _refuse_header(name: str, block: Block, delimiter: str) -> None:
    """Raise UserError when the first line holds names: some text, while the second line is numbers there.

    What is no text at all (gzip, UTF-16) would pass for names, so it is refused here too.
    """
    if b"\0" in block.text.partition(b"\n")[0] or block.text.startswith(_GZIP):
        raise UserError(
            f"{name}, line 1: this is no text in UTF-8: decompress the file, or save it again as CSV in UTF-8"
        )
    lines = _lines(Block(b"\n".join(block.text.split(b"\n", 2)[:2]), block.line))
    try:
        first, *others = [cells(line, delimiter) for line in lines]
    except ValueError:
        return
    names = [position for position, cell in enumerate(first) if not _is_number(cell)]
    if not names or any(looks_like_libsvm(first[position]) for position in names):
        return
    below = others[0] if others else []
    if len(names) == len(first) or all(position < len(below) and _is_number(below[position]) for position in names):
        raise UserError(
            f"{name}, line 1, column {names[0] + 1}: {first[names[0]]!r} is not a number: "
            "the file begins with a header row; remove it"
        )


def _is_number(cell: str) -> bool:
    try:
        number(cell)
    except ValueError:
        return False
    return True


def _refuse_narrow(name: str, columns: int, delimiter: str) -> None:
    raise UserError(
        f"{name}, line 1: {columns} column{'s' * (columns > 1)} (delimiter {delimiter!r}) leave no feature columns: "
        "give the label first and then the features, separated by commas"
    )


def _check_leading(name: str, block: Block, leading: Sequence[Floats], layout: Layout) -> None:
    kinds = ["label"] * layout.labelled + ["weight"] * layout.weighted
    for column, (kind, values) in enumerate(zip(kinds, leading, strict=True), start=1):
        _refuse_missing(name, block, values, column, kind)


def _refuse_missing(name: str, block: Block, values: NDArray[np.float32], column: int, kind: str) -> None:
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        raise UserError(
            f"{name}, line {block.line + int(missing[0])}, column {column}: the {kind} is missing: "
            f"give every record a {kind}, or remove the record",
            field=kind,
        )
