"""A network in a file of the ONNX format, written by ourselves: protocol buffers of the few messages that it takes.

A file of ours is known to the last byte but for the numbers in it (`graph`). So a file is not parsed but compared: what
is not exactly what is written here never reaches an engine.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification.graph import INPUT, OUTPUT, UINT8, Attribute, Graph, Node, Spec
from sagedock.contracts.files import replacing
from sagedock.contracts.signatures import ONNX_START
from sagedock.errors import ModelError

OPERATIONS_VERSION = 17
"""Of ONNX's default operations."""
_ROWS = "n"
"""The name of the dimension that is free: how many pictures."""
_DATA_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6}
_FLOAT, _INT, _INTS = 1, 2, 7
"""Kinds of attributes."""
_VARINT, _LENGTH, _FIXED32 = 0, 2, 5
"""Wire types (protocol buffers' documentation, "Encoding")."""

Arrays = Mapping[str, NDArray[Any]]
Piece = bytes | Spec
"""Bytes that are known, or so many numbers that are not."""


def write(file: Path, graph: Graph, arrays: Arrays, extra_outputs: Collection[str] = ()) -> None:
    """Write `file`, whole or not at all: the graph with its numbers. Raises PlatformError."""
    with replacing(file) as path, path.open("wb") as stream:
        for piece in content(graph, arrays, extra_outputs):
            stream.write(piece)


def content(graph: Graph, arrays: Arrays, extra_outputs: Collection[str] = ()) -> Iterator[bytes]:
    """The bytes of the file. `extra_outputs` are values that are wanted beside the probabilities."""
    names = iter(graph.tensors)
    for piece in pieces(graph, extra_outputs):
        if isinstance(piece, bytes):
            yield piece
        else:
            array = np.asarray(arrays[next(names)], np.dtype(piece.kind).newbyteorder("<"))
            if array.shape != piece.shape:
                raise ValueError(f"an array of {array.shape} where the graph has {piece.shape}")
            yield array.tobytes()


def read(file: Path, graph: Graph) -> bytes:
    """The content of `file`, which holds this graph and nothing else; raises ModelError."""
    expected = list(pieces(graph))
    size = sum(map(size_of, expected))
    try:
        with file.open("rb") as stream:
            found = stream.seek(0, 2)
            if found != size:
                raise ModelError(
                    f"{file} has {found} bytes, and the network described beside it takes {size}: {_AGAIN}"
                )
            return _compared(stream, expected, file)
    except FileNotFoundError as error:
        raise ModelError(f"{file} is missing: {_AGAIN}") from error


_AGAIN = "deploy the model's archive again, as it was trained"


def _compared(stream: BinaryIO, expected: list[Piece], file: Path) -> bytes:
    stream.seek(0)
    whole = stream.read()
    place = 0
    for piece in expected:
        end = place + size_of(piece)
        if isinstance(piece, bytes) and whole[place:end] != piece:
            raise ModelError(f"{file} is not the network that is described beside it, from byte {place} on: {_AGAIN}")
        if not isinstance(piece, bytes) and piece.kind == "float32":
            _require_numbers(whole, place, piece, file)
        place = end
    return whole


def _require_numbers(whole: bytes, place: int, piece: Spec, file: Path) -> None:
    found = np.frombuffer(whole, np.dtype(piece.kind).newbyteorder("<"), math.prod(piece.shape), place)
    if not np.isfinite(found).all():
        raise ModelError(f"{file} has weights that are not finite, from byte {place} on: {_AGAIN}")


def size_of(piece: Piece) -> int:
    """In bytes."""
    if isinstance(piece, bytes):
        return len(piece)
    return math.prod(piece.shape) * np.dtype(piece.kind).itemsize


def pieces(graph: Graph, extra_outputs: Collection[str] = ()) -> Iterator[Piece]:
    """The file from its first byte to its last (onnx.proto, messages ModelProto and GraphProto)."""
    head = b"".join(_message(1, _node(node)) for node in graph.nodes) + _text(2, "image-classification")
    tensors = [(_tensor_head(name, spec), spec) for name, spec in graph.tensors.items()]
    outputs = [_value(OUTPUT, 1, (_ROWS, graph.classes)), *(_value(name, 1, None) for name in extra_outputs)]
    tail = _message(11, _value(INPUT, _DATA_TYPES[UINT8], (_ROWS, *graph.picture)))
    tail += b"".join(_message(12, output) for output in outputs)
    body = [len(start) + size_of(spec) for start, spec in tensors]
    length = len(head) + len(tail) + sum(_head_size(5, size) + size for size in body)
    yield ONNX_START + _message(8, _text(1, "") + _number(2, OPERATIONS_VERSION)) + _start(7, length) + head
    for (start, spec), size in zip(tensors, body, strict=True):
        yield _start(5, size) + start
        yield spec
    yield tail


def _tensor_head(name: str, spec: Spec) -> bytes:
    """A TensorProto up to its numbers (raw_data), which come last."""
    dimensions = b"".join(_number(1, side) for side in spec.shape)
    return dimensions + _number(2, _DATA_TYPES[spec.kind]) + _text(8, name) + _start(9, size_of(spec))


def _node(node: Node) -> bytes:
    inputs = b"".join(_text(1, name) for name in node.inputs)
    attributes = b"".join(_message(5, _attribute(name, value)) for name, value in node.attributes)
    return inputs + _text(2, node.output) + _text(3, node.output) + _text(4, node.operation) + attributes


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _tag(2, _FIXED32) + struct.pack("<f", value) + _number(20, _FLOAT)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _INT)
    return _text(1, name) + b"".join(_number(8, each) for each in value) + _number(20, _INTS)


def _value(name: str, data_type: int, shape: tuple[int | str, ...] | None) -> bytes:
    """A ValueInfoProto; without a shape any will do."""
    sides = b"".join(_message(1, _text(2, side) if isinstance(side, str) else _number(1, side)) for side in shape or ())
    tensor = _number(1, data_type) + (b"" if shape is None else _message(2, sides))
    return _text(1, name) + _message(2, _message(1, tensor))


def _message(number: int, body: bytes) -> bytes:
    return _start(number, len(body)) + body


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())


def _number(number: int, value: int) -> bytes:
    return _tag(number, _VARINT) + _varint(value)


def _start(number: int, length: int) -> bytes:
    return _tag(number, _LENGTH) + _varint(length)


def _head_size(number: int, length: int) -> int:
    return len(_start(number, length))


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have the highest bit set."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
