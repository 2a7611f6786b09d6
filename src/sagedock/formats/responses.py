"""Answers: predictions to bytes. Numbers are written as Python writes the double of a 32-bit float."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from sagedock import core
from sagedock.errors import NotAcceptable
from sagedock.formats import objects
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, RECORDIO
from sagedock.formats.objects import Objects
from sagedock.formats.table import Predictions

RESPONSE_TYPES = (CSV, JSON, JSON_LINES, RECORDIO)

_compact = json.JSONEncoder(separators=(",", ":")).encode


def encode(predictions: Predictions | Objects, media_type: str) -> bytes:
    """One answer per record, in order; every line of a line-oriented answer ends with one newline.

    A missing figure is `nan` in CSV and `NaN` in JSON. Raises NotAcceptable for a type that is not written.
    """
    if isinstance(predictions, Objects):
        return objects.encode(predictions, media_type)
    if media_type == CSV:
        return _plain_csv(predictions) if predictions.plain else _selected_csv(predictions)
    if media_type in {JSON, JSON_LINES}:
        return _written_natively(predictions, media_type) or _written_as_json(predictions, media_type)
    if media_type == RECORDIO:
        from sagedock.formats.records import encode_predictions

        return encode_predictions(predictions)
    raise NotAcceptable(f"cannot answer as {media_type!r}: accept one of {', '.join(RESPONSE_TYPES)}")


def _written_as_json(predictions: Predictions, media_type: str) -> bytes:
    if media_type == JSON:
        return _compact({predictions.json_key: _objects(predictions)}).encode()
    return b"".join((_compact(answer) + "\n").encode() for answer in _objects(predictions))


def _written_natively(predictions: Predictions, media_type: str) -> bytes | None:
    """One column of finite floats in JSON by the compiled core; None without it, and for any other predictions."""
    lines = _lines_natively(predictions)
    (name, values), *_ = predictions.columns.items()
    if not lines or not np.isfinite(values).all():
        return None
    left, right = ("[", "]") if values.ndim == 2 else ("", "")
    opening, closing = f"{{{_compact(name)}:{left}".encode(), f"{right}}}".encode()
    lined = media_type == JSON_LINES
    between = closing + (b"\n" if lined else b",") + opening
    objects = opening + lines[:-1].replace(b"\n", between) + closing
    return objects + b"\n" if lined else b"{%b:[%b]}" % (_compact(predictions.json_key).encode(), objects)


def _lines_natively(predictions: Predictions) -> bytes | None:
    """A line for each record, of one column of 32-bit floats, by the compiled core; None where that cannot be."""
    if core.native is None or len(predictions.columns) != 1:
        return None
    (values,) = predictions.columns.values()
    if values.dtype != np.float32 or values.ndim > 2:
        return None
    contiguous = np.ascontiguousarray(values)
    return core.native.lines(contiguous) if values.ndim == 1 else core.native.rows(contiguous)


def _values(predictions: Predictions) -> list[list[Any]]:
    """Every column as Python numbers: floats widened to double, whole numbers as they are."""
    return [
        (column.astype(np.float64) if column.dtype.kind == "f" else column).tolist()
        for column in predictions.columns.values()
    ]


def _objects(predictions: Predictions) -> list[dict[str, Any]]:
    names = list(predictions.columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*_values(predictions), strict=True)]


def _plain_csv(predictions: Predictions) -> bytes:
    lines = _lines_natively(predictions)
    return _joined(predictions) if lines is None else lines


def _joined(predictions: Predictions) -> bytes:
    columns = _values(predictions)
    if not predictions.rows:
        return b""
    if len(columns) == 1 and not isinstance(columns[0][0], list):
        return _one_column(columns[0])
    return "".join(f"{','.join(map(repr, _flat(row)))}\n" for row in zip(*columns, strict=True)).encode()


def _one_column(values: list[Any]) -> bytes:
    """orjson writes a double as `repr` does, but for NaN and for the sizes at which `repr` turns to an exponent."""
    sizes = np.abs(values)
    if ((sizes >= 1e-4) & (sizes < 1e16)).all():
        return orjson.dumps(values)[1:-1].replace(b",", b"\n") + b"\n"
    return ("\n".join(map(repr, values)) + "\n").encode()


def _flat(row: Sequence[Any]) -> list[Any]:
    return [value for cell in row for value in (cell if isinstance(cell, list) else [cell])]


def _selected_csv(predictions: Predictions) -> bytes:
    rows = zip(*_values(predictions), strict=True)
    return "".join(",".join(map(_field, row)) + "\n" for row in rows).encode()


def _field(value: Any) -> str:
    return f'"{value!r}"' if isinstance(value, list) else repr(value)
