"""JSON and JSON Lines records (SageMaker developer guide, common data formats for inference)."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import orjson

from sagedock.contracts.channels import Source
from sagedock.errors import UserError
from sagedock.formats.cells import finite, narrowed, shown
from sagedock.formats.rows import DenseRow, SparseRow, assemble, fixed, placed
from sagedock.formats.table import Table

_FORMS = '{"features": [1.5, 16.0]}, {"data": {"features": {"values": [1.5, 16.0]}}} or a list of numbers'
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
_NUMERIC = frozenset({int, float, type(None)})


@dataclass(frozen=True)
class Instance:
    """One record: its features and, in training data, its label."""

    features: DenseRow | SparseRow
    label: float | None = None


def decode(body: bytes, columns: int | None = None) -> Table:
    """The records of `{"instances": [...]}`; with `columns` as `rows.fixed` makes them.

    Raises UserError naming the row that is no record.
    """
    return _features([read(value, row) for row, value in enumerate(instances(body), start=1)], columns)


def decode_lines(body: bytes, columns: int | None = None) -> Table:
    """One record per line; with `columns` as `rows.fixed` makes them. Raises UserError naming the row at fault."""
    return _features([read(value, row) for row, value in enumerate(lines(body), start=1)], columns)


def instances(body: bytes) -> Sequence[Any]:
    """What stands under `instances`. Raises UserError when it is not there or not a list."""
    found: list[Any] = document(body)["instances"]
    return found


def document(body: bytes) -> Mapping[str, Any]:
    """The object that holds `instances`, with what stands beside them. Raises as `instances` does."""
    found = value_of(body, None)
    if not isinstance(found, dict) or not isinstance(found.get("instances"), list):
        raise UserError(
            f'expected an object {{"instances": [...]}}, each instance being {_FORMS}; got {_kind(found)}'
            + ("" if not isinstance(found, dict) else " without a list named instances"),
            field="instances",
        )
    return found


def lines(body: bytes, word: str = "row") -> list[Any]:
    """The JSON values of `body`, one per line, which errors call by `word`; blank lines at the end do not count."""
    texts = body.rstrip().split(b"\n")
    return [value_of(text, row, f"{word} {row}") for row, text in enumerate(texts, start=1)]


def encode(table: Table, *, lined: bool) -> bytes:
    """`table` as instances, one per line when `lined`; missing is null, a sparse row has keys, shape and values."""
    found = [_instance(table, row) for row in range(table.rows)]
    if lined:
        return b"".join(orjson.dumps(instance) + b"\n" for instance in found)
    return orjson.dumps({"instances": found})


def _instance(table: Table, row: int) -> dict[str, Any]:
    label = {} if table.labels is None else {"label": float(table.labels[row])}
    matrix: Any = table.features
    if not table.is_sparse:
        return {"features": matrix[row].astype(float).tolist(), **label}  # orjson writes NaN as null
    start, end = matrix.indptr[row : row + 2]
    tensor = {
        "keys": matrix.indices[start:end].tolist(),
        "shape": [table.columns],
        "values": matrix.data[start:end].astype(float).tolist(),
    }
    return {"data": {"features": tensor}, **label}


def read(value: Any, row: int) -> Instance:
    """The record that `value` holds. Raises UserError naming `row` and the field."""
    label = None
    if isinstance(value, dict):
        label = _label(value["label"], row) if "label" in value else None
        value = value.get("data", value)
        if not isinstance(value, dict) or "features" not in value:
            raise UserError(f"row {row} has no features: give {_FORMS}", row=row, field="features")
        value = value["features"]
    if isinstance(value, dict):
        return Instance(_tensor(value, row), label)
    return Instance(_numbers(value, row, "features"), label)


def read_sources(sources: Iterable[Source], *, lined: bool) -> Table:
    """Training data: each source holds `{"instances": [...]}`, or with `lined` one record per line; labels in `label`.

    Raises UserError naming the source and the row that is no record.
    """
    records: list[Instance] = []
    begins: list[tuple[str, int]] = []
    for source in sources:
        begins.append((source.name, len(records)))
        with source.open() as stream:
            body = stream.read()
        try:
            found = lines(body) if lined else instances(body)
            records += [read(value, row) for row, value in enumerate(found, start=1)]
        except UserError as error:
            raise UserError(f"{source.name}: {error}", field=error.field, row=error.row) from error
    try:
        return _table(records)
    except UserError as error:
        raise placed(error, begins) from error


def _features(records: Sequence[Instance], columns: int | None) -> Table:
    rows = [record.features for record in records]
    if columns is not None:
        return Table(fixed(rows, columns))
    features = assemble(rows)
    return Table(features.matrix, dense_columns=features.dense_columns)


def _table(records: Sequence[Instance]) -> Table:
    features = assemble([record.features for record in records])
    found = [record.label for record in records if record.label is not None]
    if not found:
        return Table(features.matrix, dense_columns=features.dense_columns)
    if len(found) < len(records):
        row = 1 + next(position for position, record in enumerate(records) if record.label is None)
        raise UserError(f"row {row}: no label, and others have one: label all or none", row=row, field="label")
    return Table(features.matrix, labels=narrowed(np.array(found)), dense_columns=features.dense_columns)


def value_of(text: bytes, row: int | None, place: str | None = None) -> Any:
    """What JSON text says, NaN being null. `row` is its record's number, where it is of one, and `place` what errors
    call it. Raises UserError.
    """
    try:
        return orjson.loads(text.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError:
        return _loads_carefully(text, row, place or ("the body" if row is None else f"row {row}"))


def _loads_carefully(text: bytes, row: int | None, place: str) -> Any:
    """What the strict parser refused: NaN, which Python clients write, is read as null; the rest is an error."""
    try:
        return json.loads(text.decode("utf-8-sig"), parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} is not JSON ({fault(error)}): send one valid JSON text", row=row) from error


def fault(error: Exception) -> str:
    """What is wrong with JSON text; the place within a single line by its character alone, since `line 1` would be
    taken for that of the file.
    """
    if isinstance(error, json.JSONDecodeError) and "\n" not in error.doc.rstrip():
        return f"{error.msg} at character {error.pos + 1}"[:120]
    return str(error)[:120]


def _constant(text: str) -> None:
    if text != "NaN":
        raise ValueError(f"{text} is infinite, not a finite number")


def _label(value: Any, row: int) -> float:
    if isinstance(value, dict):
        value = value.get("values", value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if type(value) not in (int, float):
        raise UserError(f"row {row}: label is {_kind(value)}, not a number", row=row, field="label")
    return _finite(value, row, "label")


def _tensor(value: Mapping[str, Any], row: int) -> DenseRow | SparseRow:
    values = _numbers(value.get("values"), row, "values")
    keys, shape = value.get("keys"), value.get("shape")
    if not keys and (values or not shape):
        return values
    if not shape:
        raise UserError(f"row {row}: features with keys need a shape, the number of columns", row=row, field="shape")
    return SparseRow(_whole_numbers(keys or [], row, "keys"), values, math.prod(_whole_numbers(shape, row, "shape")))


def _numbers(value: Any, row: int, name: str) -> list[float]:
    if not isinstance(value, list):
        raise UserError(
            f"row {row}: {name} is {_kind(value)}, not a list of numbers: give {_FORMS}", row=row, field=name
        )
    if not set(map(type, value)) <= _NUMERIC:
        column = next(position for position, item in enumerate(value, start=1) if type(item) not in _NUMERIC)
        _refuse(value[column - 1], row, f"{name}[{column - 1}]")
    try:
        return [float("nan") if item is None else float(item) for item in value]
    except OverflowError as error:
        raise UserError(f"row {row}: a number in {name} does not fit a 32-bit float", row=row, field=name) from error


def _refuse(value: Any, row: int, name: str) -> NoReturn:
    text = shown(value) if isinstance(value, str) else _kind(value)
    raise UserError(f"row {row}: {name} is {text}, not a number (null means missing)", row=row, field=name)


def _whole_numbers(value: Any, row: int, name: str) -> list[int]:
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item < 2**63 for item in value):
        raise UserError(f"row {row}: {name} must be a list of whole numbers from 0", row=row, field=name)
    return value


def _finite(value: float, row: int, name: str) -> float:
    try:
        return finite(float(value), str(value)[:60])
    except (ValueError, OverflowError) as error:
        raise UserError(f"row {row}: {name} does not fit a 32-bit float", row=row, field=name) from error


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")
