"""Answers: predictions to bytes. Numbers are written as Python writes the double of a 32-bit float."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from sagedock.errors import NotAcceptable
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, RECORDIO
from sagedock.formats.table import Predictions

RESPONSE_TYPES = (CSV, JSON, JSON_LINES, RECORDIO)

_compact = json.JSONEncoder(separators=(",", ":")).encode


def encode(predictions: Predictions, media_type: str) -> bytes:
    """One answer per record, in order; every line of a line-oriented answer ends with one newline.

    A missing figure is `nan` in CSV and `NaN` in JSON. Raises NotAcceptable for a type that is not written.
    """
    if media_type == CSV:
        return _plain_csv(predictions) if predictions.plain else _selected_csv(predictions)
    if media_type == JSON:
        return _compact({predictions.json_key: _objects(predictions)}).encode()
    if media_type == JSON_LINES:
        return b"".join((_compact(answer) + "\n").encode() for answer in _objects(predictions))
    if media_type == RECORDIO:
        from sagedock.formats.records import encode_predictions

        return encode_predictions(predictions)
    raise NotAcceptable(f"cannot answer as {media_type!r}: accept one of {', '.join(RESPONSE_TYPES)}")


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
