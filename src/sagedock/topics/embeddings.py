"""Vectors of a vocabulary's words from a file of many: GloVe's text, or word2vec's text or binary format."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sagedock.errors import UserError
from sagedock.formats.cells import narrowed
from sagedock.topics.documents import Floats
from sagedock.topics.vocabulary import Vocabulary

log = logging.getLogger(__name__)

VARIABLE = "SAGEDOCK_EMBEDDINGS"
"""The environment variable that names the file."""
_MOST_DIMENSIONS = 10_000
_MOST_DIGITS = 18
"""Of the numbers in a header."""
_LONGEST_WORD = 10_000
_LOOKED_AT = 1 << 16


@dataclass(frozen=True)
class Embeddings:
    """`vectors` (words, dimensions), zeros for the `missing` words that the file does not have."""

    vectors: Floats
    missing: int


def of_job(environment: Mapping[str, str], vocabulary: Vocabulary | None) -> Floats | None:
    """(words, dimensions) for a job, asked for before it trains; None without a vocabulary, or without a file.

    Raises as `read` does.
    """
    if vocabulary is None:
        return None
    found = of_environment(environment, vocabulary.words)
    return None if found is None else found.vectors


def of_environment(environment: Mapping[str, str], words: Sequence[str]) -> Embeddings | None:
    """Those of the file that SAGEDOCK_EMBEDDINGS names; None where it names none. Raises as `read` does."""
    name = environment.get(VARIABLE)
    if not name:
        return None
    found = read(Path(name), words)
    if found.missing:
        log.warning(
            "%d out of %d in vocabulary do not have embeddings! Default vector used for unknown embedding!",
            found.missing,
            len(words),
        )
    return found


def read(file: Path, words: Sequence[str]) -> Embeddings:
    """The vectors of `words`, each as it stands or else in lower case; nothing else of the file is kept.

    Raises UserError for a file that cannot be read, or is none of vectors.
    """
    wanted = {word.encode() for word in words} | {word.lower().encode() for word in words}
    try:
        with file.open("rb") as stream:
            found = _read(stream, str(file), wanted)
    except OSError as error:
        raise UserError(
            f"{VARIABLE} names {file}, which cannot be read ({error.strerror}): mount the file, or unset the variable"
        ) from error
    if not found:
        raise UserError(f"{VARIABLE}: {file} has a vector of no word of the vocabulary: is it of this language?")
    default = np.zeros(len(next(iter(found.values()))), np.float32)
    rows = [found.get(word.encode(), found.get(word.lower().encode())) for word in words]
    vectors = np.stack([default if row is None else row for row in rows])
    return Embeddings(vectors, sum(row is None for row in rows))


def _read(stream: BinaryIO, name: str, wanted: set[bytes]) -> dict[bytes, Floats]:
    header = stream.readline(_LONGEST_WORD).split()
    if len(header) != 2 or not all(part.isdigit() and len(part) <= _MOST_DIGITS for part in header):
        stream.seek(0)
        return dict(_lines(stream, name, wanted, None, 1))
    count, dimensions = map(int, header)
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise _no_vectors(name, 1, f"{dimensions} dimensions")
    if _is_binary(stream, dimensions):
        return dict(_records(stream, name, wanted, count, dimensions))
    return dict(_lines(stream, name, wanted, dimensions, 2))


def _is_binary(stream: BinaryIO, dimensions: int) -> bool:
    """Whether what follows the header is no line of numbers; the stream stays where it is."""
    begin = stream.tell()
    line = stream.readline(_LOOKED_AT)
    stream.seek(begin)
    cells = line.split(b" ")[-dimensions - 1 :]
    try:
        return not all(np.isfinite(float(cell)) for cell in cells[1:] if cell.strip()) or len(cells) <= dimensions
    except ValueError:
        return True


def _lines(
    stream: BinaryIO, name: str, wanted: set[bytes], dimensions: int | None, first: int
) -> Iterator[tuple[bytes, Floats]]:
    """Lines of a word and its numbers. The first line tells how many, where no header did."""
    for number, line in enumerate(stream, start=first):
        word, _, rest = line.partition(b" ")
        if dimensions is None:
            dimensions = len(rest.split())
            if not 1 <= dimensions <= _MOST_DIMENSIONS:
                raise _no_vectors(name, number, f"a word and {dimensions} numbers")
        if word in wanted:
            yield word, _numbers(rest, name, number, dimensions)


def _numbers(text: bytes, name: str, line: int, dimensions: int) -> Floats:
    try:
        vector = narrowed(np.array(text.split(), np.float64))
    except ValueError as error:
        raise _no_vectors(name, line, f"{text[:40]!r}") from error
    if len(vector) != dimensions or not np.isfinite(vector).all():
        raise _no_vectors(name, line, f"{len(vector)} numbers that are not {dimensions} finite ones")
    return vector


def _records(
    stream: BinaryIO, name: str, wanted: set[bytes], count: int, dimensions: int
) -> Iterator[tuple[bytes, Floats]]:
    """Words, a blank behind each, and their 32-bit floats."""
    size = 4 * dimensions
    for number in range(1, count + 1):
        word = _word(stream, name, number)
        content = stream.read(size)
        if len(content) < size:
            raise _no_vectors(name, number, "its end in the midst of a vector", "record")
        if word in wanted:
            vector = np.frombuffer(content, "<f4").astype(np.float32)
            if not np.isfinite(vector).all():
                raise _no_vectors(name, number, "numbers that are not finite", "record")
            yield word, vector


def _word(stream: BinaryIO, name: str, number: int) -> bytes:
    word = bytearray()
    while (byte := stream.read(1)) != b" ":
        if not byte or len(word) > _LONGEST_WORD:
            raise _no_vectors(name, number, "no blank behind a word", "record")
        word += byte
    return bytes(word.lstrip(b"\n"))


def _no_vectors(name: str, place: int, found: str, unit: str = "line") -> UserError:
    return UserError(
        f"{VARIABLE} names {name}, {unit} {place} of which has {found}: give word vectors in GloVe's text format, or "
        "in word2vec's text or binary format"
    )
