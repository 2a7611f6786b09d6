"""Training data in recordio-protobuf, some records at a time; runs of records that are alike are read without a parser.

Writers give every dense record of a channel the same bytes but for its numbers. Whatever differs from the record before
it in any other byte is parsed with care, and so is all that follows it in its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.channels import Source
from sagedock.errors import UserError
from sagedock.formats import recordio
from sagedock.formats.cells import narrowed
from sagedock.formats.records import read_record
from sagedock.formats.rows import DenseRow, SparseRow, fixed, placed
from sagedock.formats.table import Floats, Part, Table

BLOCK_BYTES = 1 << 21
_CAREFUL_CELLS = 1 << 18
"""Numbers that are parsed before they are handed on."""
_MOST_RECORDS = 4096
_HEADER = 8
_RUN = 2
"""Wire type of a field that is a run of bytes (protocol buffers' encoding)."""
_FEATURES, _LABEL, _VALUE, _VALUES = 1, 2, 2, 1
_KINDS: Mapping[int, np.dtype[Any]] = {2: np.dtype("<f4"), 3: np.dtype("<f8")}
"""Numbers of fields: Record's two, a map entry's value, a tensor's values, Value's tensors of floats (record.proto)."""


def parts(sources: Iterable[Source], columns: int) -> Iterator[Part]:
    """The records of `sources` some at a time, each with `columns` features: 0 where a sparse one has none.

    Labels are kept where a part's records have them. Raises UserError naming file, record and byte offset.
    """
    for source in sources:
        with source.open() as stream:
            yield from _parts(stream, source.name, columns)


def _parts(stream: BinaryIO, name: str, columns: int) -> Iterator[Part]:
    held = stream.read(BLOCK_BYTES)
    shape = _shape(held, name, columns)
    offset, number = 0, 1
    while shape is not None and len(held) >= shape.size:
        rows = _alike(held, shape)
        if rows:
            yield Part(shape.table(held, rows), name, "record", number)
        offset, number = offset + rows * shape.size, number + rows
        rest = held[rows * shape.size :]
        if len(rest) >= shape.size:
            held = rest
            break
        held = rest + stream.read(BLOCK_BYTES)
    yield from _careful(recordio.Continued(held, stream), name, columns, offset, number)


@dataclass(frozen=True)
class _Shape:
    """How the records of a run look: what the first one's frame holds, and where its numbers stand.

    `fixed` are the places of a frame of `size` bytes that are alike in all records, `template` what stands there.
    """

    size: int
    columns: int
    features: tuple[int, np.dtype[Any]]
    label: tuple[int, np.dtype[Any]] | None
    fixed: NDArray[np.bool_]
    template: NDArray[np.uint8]

    def table(self, held: bytes, rows: int) -> Table:
        """The first `rows` records of `held`. Raises UserError for a number that is infinite as a 32-bit float."""
        frames = np.frombuffer(held, np.uint8, rows * self.size).reshape(rows, self.size)
        features = _numbers(frames, *self.features, self.columns)
        labels = None if self.label is None else _numbers(frames, *self.label, 1)[:, 0]
        return Table(features, labels=labels)


def _numbers(frames: NDArray[np.uint8], begin: int, kind: np.dtype[Any], count: int) -> Floats:
    found = np.ascontiguousarray(frames[:, begin : begin + count * kind.itemsize]).view(kind)
    return narrowed(found)


def _alike(held: bytes, shape: _Shape) -> int:
    """How many records at the beginning of `held` have this shape, and finite numbers throughout."""
    count = len(held) // shape.size
    frames = np.frombuffer(held, np.uint8, count * shape.size).reshape(count, shape.size)
    same = (frames[:, shape.fixed] == shape.template).all(axis=1)
    table = shape.table(held, count)
    same &= ~np.isinf(table.features).any(axis=1)
    if table.labels is not None:
        same &= np.isfinite(table.labels)
    return count if same.all() else int(same.argmin())


def _shape(held: bytes, name: str, columns: int) -> _Shape | None:
    """The shape of the first record, where it is a whole dense one of `columns` floats; None for any other."""
    length = int.from_bytes(held[4:_HEADER], "little")
    size = _HEADER + length + -length % 4
    if held[:4] != recordio.MAGIC or size > len(held) or length >> 29:
        return None
    payload = held[_HEADER : _HEADER + length]
    row, label = read_record(payload, f"{name}, record 1 at byte 0", 1)
    if isinstance(row, SparseRow) or len(row) != columns:
        return None
    features = _place(payload, _FEATURES, columns)
    marked = None if label is None else _place(payload, _LABEL, 1)
    if features is None or (label is not None and marked is None):
        return None
    varying = np.zeros(size, np.bool_)
    for (begin, kind), count in [(features, columns), *([(marked, 1)] if marked else [])]:
        varying[begin : begin + count * kind.itemsize] = True
    frame = np.frombuffer(held, np.uint8, size)
    return _Shape(size, columns, features, marked, ~varying, frame[~varying])


def _place(payload: bytes, member: int, count: int) -> tuple[int, np.dtype[Any]] | None:
    """Where in its frame the numbers of a record's only tensor of `member` stand, and their type; None for the unusual.

    It follows the wire format: Record.member[values].tensor.values, each a run of bytes of stated length.
    """
    try:
        entry = _only(payload, (0, len(payload)), member)
        value = _only(payload, entry, _VALUE)
        fields = {number: place for number, place in _fields(payload, value) if number in _KINDS}
        (number, tensor), *others = fields.items()
        begin, end = _only(payload, tensor, _VALUES)
    except (LookupError, ValueError):
        return None
    kind = _KINDS[number]
    return None if others or end - begin != count * kind.itemsize else (_HEADER + begin, kind)


def _only(payload: bytes, place: tuple[int, int], wanted: int) -> tuple[int, int]:
    """The one field of this number in a message; raises ValueError where there is none, or more."""
    (found,) = (inner for number, inner in _fields(payload, place) if number == wanted)
    return found


def _fields(payload: bytes, place: tuple[int, int]) -> Iterator[tuple[int, tuple[int, int]]]:
    """Number and content of each field of the message at `place`; raises LookupError for what is no run of bytes."""
    position, end = place
    while position < end:
        tag = payload[position]
        if tag & 7 != _RUN or tag >> 7:
            raise LookupError(f"field tag {tag}")
        length, position = _varint(payload, position + 1)
        yield tag >> 3, (position, position + length)
        position += length


def _varint(payload: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while payload[position] >> 7:
        value |= (payload[position] & 127) << shift
        position, shift = position + 1, shift + 7
    return value | payload[position] << shift, position + 1


def _careful(rest: recordio.Continued, name: str, columns: int, offset: int, number: int) -> Iterator[Part]:
    """The records of the rest of a source, the first one being `number` at byte `offset`, each parsed."""
    frames = recordio.read(cast("BinaryIO", rest), name, offset)
    most = max(1, min(_MOST_RECORDS, _CAREFUL_CELLS // columns))
    while some := list(islice(frames, most)):
        rows: list[DenseRow | SparseRow] = []
        labels: list[float | None] = []
        for position, frame in enumerate(some, start=number):
            row, label = read_record(frame.payload, f"{name}, record {position} at byte {frame.offset}", position)
            rows.append(row)
            labels.append(label)
        yield Part(_table(rows, labels, name, columns, number), name, "record", number)
        number += len(some)


def _table(
    rows: Sequence[DenseRow | SparseRow], labels: Sequence[float | None], name: str, columns: int, number: int
) -> Table:
    try:
        features = fixed(rows, columns)
    except UserError as error:
        raise placed(error, [(name, 1 - number)]) from error
    if None in labels:
        if any(label is not None for label in labels):
            raise UserError(f"{name}: some records have a label and some have none: label all or none", field="label")
        return Table(features)
    return Table(features, labels=narrowed(np.array(labels, dtype=np.float64)))
