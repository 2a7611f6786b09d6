"""SageMaker's protobuf Records in RecordIO frames (developer guide, common data formats for training)."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from sagedock.contracts.channels import Source
from sagedock.errors import UserError
from sagedock.formats import recordio
from sagedock.formats.cells import narrowed
from sagedock.formats.record_pb2 import Record
from sagedock.formats.rows import DenseRow, SparseRow, assemble, fixed, placed
from sagedock.formats.table import Predictions, RecordIdentity, Table

_KEY = "values"
_TENSORS = frozenset({"float32_tensor", "float64_tensor", "int32_tensor"})


def decode(body: bytes, columns: int | None = None) -> Table:
    """The records of a request, with `columns` as `rows.fixed` makes them; labels are ignored, uid and metadata kept.

    Raises UserError naming the row.
    """
    found, identities = rows(body)
    if columns is not None:
        return Table(fixed(found, columns), identities=identities)
    features = assemble(found)
    return Table(features.matrix, identities=identities, dense_columns=features.dense_columns)


def rows(body: bytes) -> tuple[list[DenseRow | SparseRow], list[RecordIdentity] | None]:
    """The features of a request's records, and what identifies these where one is identified. Raises UserError."""
    found: list[DenseRow | SparseRow] = []
    identities: list[RecordIdentity] = []
    for row, frame in enumerate(recordio.read(io.BytesIO(body), "the body"), start=1):
        record = _parse(frame.payload, f"row {row}", row)
        found.append(_features(record, f"row {row}", row))
        identities.append(_identity(record))
    return found, identities if any(identity != RecordIdentity() for identity in identities) else None


def read(sources: Iterable[Source]) -> Table:
    """Training data: every record of `sources`, with its label; all records or none have one.

    Raises UserError naming file, record and byte offset.
    """
    found: list[DenseRow | SparseRow] = []
    labels: list[float | None] = []
    begins: list[tuple[str, int]] = []
    for source in sources:
        begins.append((source.name, len(found)))
        with source.open() as stream:
            for number, frame in enumerate(recordio.read(stream, source.name), start=1):
                place = f"{source.name}, record {number} at byte {frame.offset}"
                features_read, label = read_record(frame.payload, place, number)
                found.append(features_read)
                labels.append(label)
                if (labels[-1] is None) != (labels[0] is None):
                    raise UserError(f"{place}: some records have a label and some have none: label all or none")
    if not found:
        raise UserError(f"no records in {', '.join(name for name, _ in begins)}")
    try:
        features = assemble(found)
    except UserError as error:
        raise placed(error, begins) from error
    marked = None if labels[0] is None else narrowed(np.array(labels, dtype=np.float64))
    return Table(features.matrix, labels=marked, dense_columns=features.dense_columns)


def read_record(payload: bytes, place: str, number: int) -> tuple[DenseRow | SparseRow, float | None]:
    """The features and the label of one record of training data, the `number`th of its source at `place`.

    Raises UserError.
    """
    record = _parse(payload, place, number)
    return _features(record, place, number), _label(record, place)


def encode(table: Table) -> bytes:
    """`table` as framed Records of 32-bit tensors: sparse rows with keys and shape, labels under `values`."""
    framed = []
    for row in range(table.rows):
        record = Record()
        _fill(record.features[_KEY].float32_tensor, table, row)
        if table.labels is not None:
            record.label[_KEY].float32_tensor.values.append(float(table.labels[row]))
        if table.identities is not None:
            _identify(record, table.identities[row])
        framed.append(recordio.frame(record.SerializeToString(deterministic=True)))
    return b"".join(framed)


def encode_predictions(predictions: Predictions) -> bytes:
    """One framed Record per prediction: `label` maps each column's name to its values; uid and metadata echoed."""
    columns = {
        name: values.reshape(predictions.rows, -1).astype(np.float32) for name, values in predictions.columns.items()
    }
    framed = []
    for row in range(predictions.rows):
        record = Record()
        for name, values in columns.items():
            record.label[name].float32_tensor.values.extend(values[row])
        if predictions.identities is not None:
            _identify(record, predictions.identities[row])
        framed.append(recordio.frame(record.SerializeToString(deterministic=True)))
    return b"".join(framed)


def _parse(payload: bytes, place: str, row: int) -> Any:
    try:
        return Record.FromString(payload)
    except DecodeError as error:
        raise UserError(f"{place}: not a protobuf Record ({error}): see aialgs.data.Record", row=row) from error


def _features(record: Any, place: str, row: int) -> DenseRow | SparseRow:
    if _KEY not in record.features:
        raise UserError(f"{place}: no features under the key 'values'", row=row, field="features")
    tensor = _tensor(record.features[_KEY], "features", place, row)
    values = np.array(tensor.values, dtype=np.float64)
    shape = list(tensor.shape)
    if not len(tensor.keys) and (len(values) or not shape):
        return values
    if not shape:
        raise UserError(f"{place}: features with keys need a shape, the number of columns", row=row, field="features")
    keys = np.array(tensor.keys, dtype=np.uint64)
    width = math.prod(shape)
    if len(keys) != len(values):
        raise UserError(f"{place}: {len(keys)} keys for {len(values)} values", row=row, field="features")
    if len(keys) and int(keys.max()) >= width:
        raise UserError(f"{place}: key {keys.max()} is not below {width}, the shape", row=row, field="features")
    return SparseRow(keys.astype(np.int64), values, width)


def _tensor(value: Any, field: str, place: str, row: int) -> Any:
    kind = value.WhichOneof("value")
    if kind not in _TENSORS:
        found = "nothing" if kind is None else "bytes"
        raise UserError(f"{place}: {field} hold {found}: give a float32, float64 or int32 tensor", row=row, field=field)
    return getattr(value, kind)


def _label(record: Any, place: str) -> float | None:
    if not record.label:
        return None
    if _KEY not in record.label:
        raise UserError(f"{place}: no label under the key 'values'", field="label")
    values = _tensor(record.label[_KEY], "label", place, 0).values
    if len(values) != 1 or not math.isfinite(narrowed(np.array(values, dtype=np.float64))[0]):
        raise UserError(f"{place}: the label is {list(values)[:5]}: give one finite number", field="label")
    return float(values[0])


def _identity(record: Any) -> RecordIdentity:
    return RecordIdentity(
        record.uid if record.HasField("uid") else None, record.metadata if record.HasField("metadata") else None
    )


def _identify(record: Any, identity: RecordIdentity) -> None:
    if identity.uid is not None:
        record.uid = identity.uid
    if identity.metadata is not None:
        record.metadata = identity.metadata


def _fill(tensor: Any, table: Table, row: int) -> None:
    if not table.is_sparse:
        tensor.values.extend(np.asarray(table.features)[row])
        return
    matrix: Any = table.features
    start, end = matrix.indptr[row : row + 2]
    tensor.values.extend(matrix.data[start:end])
    tensor.keys.extend(matrix.indices[start:end])
    tensor.shape.append(table.columns)
