"""Arrays in one file as safetensors lays them out: a length, a header in JSON, then the numbers; nothing is believed.

The numbers begin at a multiple of 64 bytes and are mapped into memory, not read.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.files import replacing

_KINDS: Mapping[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_LENGTH = 8
_ALIGNMENT = 64
LARGEST_HEADER = 1 << 20
"""Bytes: a header names arrays, and a model has few."""
_METADATA = "__metadata__"
_MOST_DIMENSIONS = 8


@dataclass(frozen=True)
class Tensors:
    """What a file holds: arrays by name, read-only, and texts about them."""

    arrays: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, str]

    def require_format(self, name: str, version: str) -> None:
        """Raise ValueError unless the texts `format` and `version` are these."""
        found = self.metadata.get("format", "not said"), self.metadata.get("version", "not said")
        if found != (name, version):
            raise ValueError(f"its format is {found[0][:60]!r} {found[1][:20]!r}, not {name!r} {version!r}")


def write(file: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write `file`, whole or not at all; raises PlatformError. Wider numbers come first, so that all are aligned."""
    ordered = sorted(arrays.items(), key=lambda pair: -pair[1].dtype.itemsize)
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    end = 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        kind = _NAMES[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH + len(text)) % _ALIGNMENT)
    with replacing(file) as temporary, temporary.open("wb") as stream:
        stream.write(len(text).to_bytes(_LENGTH, "little") + text)
        for _, array in ordered:
            stream.write(np.ascontiguousarray(array).data)


def read(file: Path) -> Tensors:
    """The arrays of `file`, mapped. Raises ValueError saying what is wrong with it, and OSError."""
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        header = _header(stream.read(_LENGTH), size)
        text = stream.read(header)
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    content = _parsed(text)
    metadata = _metadata(content.pop(_METADATA, {}))
    begin = _LENGTH + header
    places = {name: _Place.of(name, entry) for name, entry in content.items()}
    _require_whole(places, size - begin)
    return Tensors({name: place.array(data, begin) for name, place in places.items()}, metadata)


@dataclass(frozen=True)
class _Place:
    """Where an array stands among the numbers, in bytes, and how it is shaped."""

    kind: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int

    @classmethod
    def of(cls, name: str, entry: object) -> _Place:
        """What the header says of the array `name`; raises ValueError."""
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"the header's entry {name[:40]!r} is not dtype, shape and data_offsets")
        if not isinstance(entry["dtype"], str) or entry["dtype"] not in _KINDS:
            raise ValueError(f"{name[:40]!r} is of type {str(entry['dtype'])[:40]!r}: read are {', '.join(_KINDS)}")
        shape, offsets = _counts(entry["shape"]), _counts(entry["data_offsets"])
        if shape is None or len(shape) > _MOST_DIMENSIONS:
            raise ValueError(f"{name[:40]!r} has no shape of whole numbers")
        if offsets is None or len(offsets) != 2:
            raise ValueError(f"{name[:40]!r} has data_offsets that are no two whole numbers")
        place = cls(_KINDS[entry["dtype"]], tuple(shape), *offsets)
        needed = math.prod(shape) * place.kind.itemsize
        if place.end - place.begin != needed:
            raise ValueError(f"{name[:40]!r} of shape {shape} takes {needed} bytes, not {place.end - place.begin}")
        return place

    def array(self, data: mmap.mmap, begin: int) -> NDArray[Any]:
        count = math.prod(self.shape)
        return np.frombuffer(data, self.kind, count, begin + self.begin).reshape(self.shape)


def _header(length: bytes, size: int) -> int:
    """Bytes of the header; raises ValueError where the file cannot hold so many."""
    if len(length) < _LENGTH:
        raise ValueError(f"it has {size} bytes, too few for a header")
    header = int.from_bytes(length, "little")
    if header > min(size - _LENGTH, LARGEST_HEADER):
        raise ValueError(f"its header claims {header} bytes, and it has {size} (a header has at most {LARGEST_HEADER})")
    return header


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is not JSON ({str(error)[:100]})") from error
    if not isinstance(content, dict):
        raise ValueError("its header is no JSON object")  # noqa: TRY004 - a file is wrong, no argument
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is no number")


def _metadata(content: object) -> dict[str, str]:
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise ValueError(f"its {_METADATA} is not texts by name")
    return content


def _counts(value: object) -> list[int] | None:
    """`value` where it is a list of whole numbers from 0 that a file can have."""
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item < 1 << 48 for item in value):
        return None
    return value


def _require_whole(places: Mapping[str, _Place], size: int) -> None:
    """Raise ValueError unless the arrays lie one behind the other and fill the `size` bytes."""
    reached = 0
    for name, place in sorted(places.items(), key=lambda pair: (pair[1].begin, pair[1].end)):
        if place.begin != reached:
            raise ValueError(f"{name[:40]!r} begins at byte {place.begin} of the numbers, not at {reached}")
        reached = place.end
    if reached != size:
        raise ValueError(f"its arrays take {reached} bytes, and {size} follow the header")
