"""The matrices of a quantised model (.ftz) as fastText stores them: codes of one byte, and what the codes stand for.

Source: src/quantmatrix.cc and src/productquantizer.cc of fastText; Jégou et al., Product Quantization for Nearest
Neighbor Search, 2011. How matrices are quantised is `quantisation`'s.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.cursor import Cursor

CODES = 256
_QUANTISER = struct.Struct("<4i")
_MATRIX = struct.Struct("<2qi")


@dataclass(frozen=True)
class Quantiser:
    """A vector of `dim` numbers is cut into parts of `width`, the last of `last_width`; a code stands for a part."""

    dim: int
    width: int
    last_width: int
    centroids: NDArray[np.float32]
    """(256 * dim,): part by part, and in each the 256 vectors one after the other."""

    @property
    def parts(self) -> int:
        """How many codes a vector has."""
        return (self.dim + self.width - 1) // self.width

    def decoded(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The vectors (rows, dim) that codes (rows, parts) stand for."""
        found = np.empty((len(codes), self.dim), np.float32)
        for part in range(self.parts):
            begin = part * self.width
            width = self.last_width if part == self.parts - 1 else self.width
            table = self.centroids[CODES * begin : CODES * (begin + width)].reshape(CODES, width)
            found[:, begin : begin + width] = table[codes[:, part]]
        return found


@dataclass(frozen=True)
class QuantisedMatrix:
    """Rows of codes; with `norms` the rows have length 1 until they are multiplied by theirs."""

    codes: NDArray[np.uint8]
    """(rows, parts)."""
    quantiser: Quantiser
    norm_codes: NDArray[np.uint8] | None = None
    norms: Quantiser | None = None
    """Its vectors have one number, the length of a row."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as an array has them."""
        return len(self.codes), self.quantiser.dim

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self.codes.nbytes + self.quantiser.centroids.nbytes

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Sequence[int] | NDArray[np.integer] | slice) -> NDArray[np.float32]:
        """The numbers of some rows (rows, dim)."""
        found = self.quantiser.decoded(self.codes[rows])
        if self.norms is None or self.norm_codes is None:
            return found
        lengths: NDArray[np.float32] = self.norms.centroids[self.norm_codes[rows]]
        return found * lengths[:, None]


def read(cursor: Cursor, what: str) -> QuantisedMatrix:
    """The matrix that stands here. Raises ModelError where its sizes do not fit one another or the file."""
    normed = cursor.flag(f"{what}: whether norms are apart")
    rows, columns, size = cursor.numbers(_MATRIX, what)
    codes = cursor.array(np.uint8, (size,), f"{what}: codes")
    quantiser = _read_quantiser(cursor, columns, what)
    if rows < 0 or size != rows * quantiser.parts:
        raise cursor.wrong(f"{what} has {size} codes for {rows} rows of {quantiser.parts} parts")
    codes = codes.reshape(rows, quantiser.parts)
    if not normed:
        return QuantisedMatrix(codes, quantiser)
    norm_codes = cursor.array(np.uint8, (rows,), f"{what}: codes of norms")
    return QuantisedMatrix(codes, quantiser, norm_codes, _read_quantiser(cursor, 1, f"{what}: norms"))


def write(stream: BinaryIO, matrix: QuantisedMatrix) -> None:
    """Write the matrix where the stream is."""
    rows, columns = matrix.shape
    stream.write(struct.pack("<B", matrix.norms is not None))
    stream.write(_MATRIX.pack(rows, columns, matrix.codes.size))
    stream.write(np.ascontiguousarray(matrix.codes).data)
    _write_quantiser(stream, matrix.quantiser)
    if matrix.norms is not None and matrix.norm_codes is not None:
        stream.write(np.ascontiguousarray(matrix.norm_codes).data)
        _write_quantiser(stream, matrix.norms)


def _read_quantiser(cursor: Cursor, columns: int, what: str) -> Quantiser:
    dim, parts, width, last_width = cursor.numbers(_QUANTISER, f"{what}: quantiser")
    fits = dim == columns and 0 < width <= dim and parts == -(-dim // width) and last_width == dim - (parts - 1) * width
    if not fits:
        raise cursor.wrong(f"{what} has {columns} columns, its quantiser {dim} in {parts} parts of {width}")
    return Quantiser(dim, width, last_width, cursor.array("<f4", (CODES * dim,), f"{what}: centroids"))


def _write_quantiser(stream: BinaryIO, quantiser: Quantiser) -> None:
    stream.write(_QUANTISER.pack(quantiser.dim, quantiser.parts, quantiser.width, quantiser.last_width))
    stream.write(np.ascontiguousarray(quantiser.centroids, "<f4").data)
