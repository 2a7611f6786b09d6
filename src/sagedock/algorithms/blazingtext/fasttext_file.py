"""fastText's model files (.bin, and .ftz when quantised), versions 11 and 12, read and written.

Source: src/fasttext.cc, args.cc, dictionary.cc and densematrix.cc of fastText 0.9; every number is little-endian. The
format leaves matrices at any byte, so that mapped ones need not be aligned to their four bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from enum import IntEnum
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext import cursor as cursors
from sagedock.algorithms.blazingtext import quantised_matrix
from sagedock.algorithms.blazingtext.cursor import Cursor
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.quantised_matrix import QuantisedMatrix
from sagedock.contracts.files import replacing

MAGIC = 793712314
VERSION = 12
_OLD_VERSION = 11


@dataclass(frozen=True)
class SpreadMatrix:
    """A matrix of which only some rows are held: row i is `held[places[i]]`, and zeros where that place is -1."""

    held: NDArray[np.float32]
    places: NDArray[np.int32]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as an array has them."""
        return len(self.places), int(self.held.shape[1])

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self.held.nbytes + self.places.nbytes

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[np.float32]:
        """Some rows (rows, dim)."""
        places = self.places[rows]
        found = np.zeros((len(places), self.shape[1]), np.float32)
        found[places >= 0] = self.held[places[places >= 0]]
        return found


Matrix: TypeAlias = NDArray[np.float32] | QuantisedMatrix | SpreadMatrix

_HEAD = struct.Struct("<2i")
_ARGUMENTS = struct.Struct("<12id")
_DICTIONARY = struct.Struct("<3i2q")
_SIZES = struct.Struct("<2q")
_ENTRY_TAIL = 9  # a count of eight bytes and a type of one
_ENTRIES_AT_ONCE = 1 << 16
_ROWS_AT_ONCE = 1 << 14


class Loss(IntEnum):
    """How the output is trained, and asked."""

    HIERARCHICAL_SOFTMAX = 1
    NEGATIVE_SAMPLING = 2
    SOFTMAX = 3
    ONE_VS_ALL = 4

    @property
    def word(self) -> str:
        """As fastText's command line spells it."""
        return ("hs", "ns", "softmax", "ova")[self - 1]


class Method(IntEnum):
    """What the model was trained for."""

    CBOW = 1
    SKIPGRAM = 2
    SUPERVISED = 3


@dataclass(frozen=True)
class Arguments:
    """fastText's arguments in their order; those of the n-grams also stand in the dictionary."""

    dim: int
    window_size: int
    epochs: int
    min_count: int
    negatives: int
    word_ngrams: int
    loss: Loss
    method: Method
    buckets: int
    min_char: int
    max_char: int
    update_rate: int
    sampling_threshold: float


@dataclass(frozen=True)
class FastTextFile:
    """What a model file holds. The words and labels of the dictionary are in the order of the matrices' rows."""

    arguments: Arguments
    dictionary: Dictionary
    input: Matrix
    """(words + buckets, dim), or (words + kept buckets, dim) of a pruned model."""
    output: Matrix
    """(labels, dim) of a classifier, (words, dim) of word vectors."""

    @property
    def quantised(self) -> bool:
        return isinstance(self.input, QuantisedMatrix)

    @property
    def memory_bytes(self) -> int:
        """What its matrices take in memory, once all of them has been read."""
        return self.input.nbytes + self.output.nbytes


def read(file: Path) -> FastTextFile:
    """The model in `file`, its matrices mapped and read only where they are used.

    Raises ModelError for a file that is no such model, truncated, or of sizes that do not fit it or one another.
    """
    with cursors.opened(file) as cursor:
        arguments = _arguments(cursor)
        dictionary = _dictionary(cursor, arguments)
        quantised = cursor.flag("whether the input is quantised")
        found = _matrix(cursor, "the input matrix", (dictionary.rows, arguments.dim), quantised=quantised)
        if dictionary.kept is not None and not quantised:
            raise cursor.wrong("its dictionary is pruned, which only that of a quantised model may be")
        quantised_too = cursor.flag("whether the output is quantised") and quantised
        outputs = dictionary.labels if arguments.method == Method.SUPERVISED else dictionary.words
        output = _matrix(cursor, "the output matrix", (len(outputs), arguments.dim), quantised=quantised_too)
        if cursor.left:
            raise cursor.wrong(f"{cursor.left} bytes follow its end")
        return FastTextFile(arguments, dictionary, found, output)


def write(file: Path, model: FastTextFile) -> None:
    """Write `model` to `file`, whole or not at all; of its matrices some rows at a time are copied."""
    with replacing(file) as temporary, temporary.open("wb") as stream:
        _write(stream, model)


def size(model: FastTextFile) -> int:
    """How many bytes the file of a small model has, which is made in memory to see."""
    stream = BytesIO()
    _write(stream, model)
    return stream.tell()


def _write(stream: BinaryIO, model: FastTextFile) -> None:
    stream.write(_HEAD.pack(MAGIC, VERSION))
    stream.write(_ARGUMENTS.pack(*astuple(model.arguments)))
    _write_dictionary(stream, model.dictionary)
    for matrix in (model.input, model.output):
        stream.write(struct.pack("<B", isinstance(matrix, QuantisedMatrix)))
        _write_matrix(stream, matrix)


def _arguments(cursor: Cursor) -> Arguments:
    magic, version = cursor.numbers(_HEAD, "the header")
    if magic != MAGIC:
        raise cursor.wrong(f"it begins with {magic}, not with fastText's {MAGIC}")
    if version not in {_OLD_VERSION, VERSION}:
        raise cursor.wrong(f"its version is {version}, and {_OLD_VERSION} and {VERSION} are read")
    given = dict(zip((each.name for each in fields(Arguments)), cursor.numbers(_ARGUMENTS, "arguments"), strict=True))
    try:
        given["loss"], given["method"] = Loss(given["loss"]), Method(given["method"])
    except ValueError as error:
        raise cursor.wrong(str(error)) from error
    if version == _OLD_VERSION and given["method"] == Method.SUPERVISED:
        given["max_char"] = 0  # classifiers of that version know no character n-grams, whatever they say
    found = Arguments(**given)
    if found.dim < 1:
        raise cursor.wrong(f"its vectors have {found.dim} dimensions")
    return found


def _dictionary(cursor: Cursor, arguments: Arguments) -> Dictionary:
    size, words, labels, tokens, pruned = cursor.numbers(_DICTIONARY, "the dictionary")
    if min(words, labels, tokens) < 0 or words + labels != size or pruned < -1:
        raise cursor.wrong(f"its dictionary has {size} entries, {words} words, {labels} labels, {tokens} tokens")
    texts, tails = cursor.texts(size, _ENTRY_TAIL, "entries of its dictionary")
    types = tails[:, -1]
    if types[:words].any() or (types[words:] != 1).any():
        raise cursor.wrong(f"its dictionary does not list {words} words and then {labels} labels")
    counts = np.ascontiguousarray(tails[:, :-1]).view("<i8").reshape(size)
    try:
        return Dictionary(
            words=texts[:words],
            labels=texts[words:],
            counts=counts,
            tokens=tokens,
            ngrams=Ngrams(
                buckets=arguments.buckets,
                min_char=arguments.min_char,
                max_char=arguments.max_char,
                word_ngrams=arguments.word_ngrams,
            ),
            kept=_kept(cursor, pruned, arguments),
        )
    except ValueError as error:
        raise cursor.wrong(str(error)) from error


def _kept(cursor: Cursor, count: int, arguments: Arguments) -> dict[int, int] | None:
    """The buckets that a pruned dictionary has left, and their places."""
    if count < 0:
        return None
    pairs = cursor.array("<i4", (count, 2), "the buckets that were kept")
    found = dict(pairs.tolist())
    if len(found) < count or not all(0 <= bucket < arguments.buckets for bucket in found):
        raise cursor.wrong(f"its dictionary keeps buckets twice, or others than its {arguments.buckets}")
    return found


def _matrix(cursor: Cursor, what: str, shape: tuple[int, int], *, quantised: bool) -> Matrix:
    quantised_one = quantised_matrix.read(cursor, what) if quantised else None
    sizes = quantised_one.shape if quantised_one else cursor.numbers(_SIZES, what)
    if sizes != shape:
        raise cursor.wrong(f"{what} is {sizes[0]} x {sizes[1]}, and {shape[0]} x {shape[1]} belongs there")
    return quantised_one or cursor.array("<f4", shape, what)


def _write_dictionary(stream: BinaryIO, dictionary: Dictionary) -> None:
    words, labels = len(dictionary.words), len(dictionary.labels)
    kept = None if dictionary.kept is None else np.array(list(dictionary.kept.items()), "<i4").reshape(-1, 2)
    pruned = -1 if kept is None else len(kept)
    stream.write(_DICTIONARY.pack(words + labels, words, labels, dictionary.tokens, pruned))
    counts = dictionary.counts.tolist()
    _write_entries(stream, dictionary.words, counts[:words], b"\0")
    _write_entries(stream, dictionary.labels, counts[words:], b"\1")
    if kept is not None:
        stream.write(kept.data)


def _write_entries(stream: BinaryIO, texts: Sequence[bytes], counts: Sequence[int], kind: bytes) -> None:
    for begin in range(0, len(texts), _ENTRIES_AT_ONCE):
        part = slice(begin, begin + _ENTRIES_AT_ONCE)
        pairs = zip(texts[part], counts[part], strict=True)
        stream.write(
            b"".join(b"%b\0%b%b" % (text, count.to_bytes(8, "little", signed=True), kind) for text, count in pairs)
        )


def _write_matrix(stream: BinaryIO, matrix: Matrix) -> None:
    if isinstance(matrix, QuantisedMatrix):
        quantised_matrix.write(stream, matrix)
        return
    stream.write(_SIZES.pack(*matrix.shape))
    for begin in range(0, matrix.shape[0], _ROWS_AT_ONCE):
        rows = np.ascontiguousarray(matrix[begin : begin + _ROWS_AT_ONCE], "<f4")
        stream.write(rows.reshape(-1).view(np.uint8).data)
