"""vectors.txt: word vectors as text, the format of word2vec and of fastText's .vec, which gensim reads too.

The first line holds how many words there are and how many numbers each has; a line for each word follows: the word and
its numbers, separated by spaces. A number is written with nine significant digits (`%.9g`), from which the same 32-bit
float is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.files import replacing
from sagedock.errors import ModelError

_ROWS_AT_ONCE = 1024
_LONGEST_HEAD = 64
_LONGEST_WORD, _LONGEST_NUMBER = 64 << 20, 64
_LEAST_NUMBER = 2  # a digit and the space before it


@dataclass(frozen=True)
class Vectors:
    """The vectors (words, dim) of words, in the file's order."""

    words: Sequence[bytes]
    values: NDArray[np.float32]


def write(file: Path, words: Sequence[bytes], rows: Callable[[int, int], NDArray[np.float32]], dim: int) -> None:
    """Write a line for each of `words`, whole or not at all; `rows` makes the vectors from a word up to another."""
    number = " ".join(["%.9g"] * dim).encode()
    with replacing(file) as temporary, temporary.open("wb") as stream:
        stream.write(b"%d %d\n" % (len(words), dim))
        for begin in range(0, len(words), _ROWS_AT_ONCE):
            end = min(begin + _ROWS_AT_ONCE, len(words))
            values = rows(begin, end).tolist()
            lines = [
                b"%b %b\n" % (word, number % tuple(row)) for word, row in zip(words[begin:end], values, strict=True)
            ]
            stream.write(b"".join(lines))


def read(file: Path) -> Vectors:
    """The vectors in `file`. Raises ModelError naming the line that is wrong; nothing is believed of the first."""
    with file.open("rb") as stream:
        count, dim = _sizes(stream, file)
        words: list[bytes] = []
        values = np.empty((count, dim), np.float32)
        for number, line in enumerate(_lines(stream, file, _LONGEST_WORD + dim * _LONGEST_NUMBER), start=2):
            row = len(words)
            if row == count:
                raise _wrong(file, number, f"more lines than the {count} of the first")
            word, _, rest = line.partition(b" ")
            words.append(word)
            values[row] = _numbers(rest, dim, file, number)
    if len(words) < count:
        raise _wrong(file, len(words) + 1, f"it ends after {len(words)} of {count} words")
    return Vectors(words, values)


def _sizes(stream: BinaryIO, file: Path) -> tuple[int, int]:
    head = stream.readline(_LONGEST_HEAD).split()
    if len(head) != 2 or not all(part.isdigit() for part in head):
        raise _wrong(file, 1, "not the numbers of words and dimensions")
    count, dim = int(head[0]), int(head[1])
    size = file.stat().st_size
    if not 1 <= dim <= size or count * (1 + dim * _LEAST_NUMBER) > size:
        raise _wrong(file, 1, f"{count} words of {dim} numbers cannot stand in {size} bytes")
    return count, dim


def _lines(stream: BinaryIO, file: Path, longest: int) -> Iterator[bytes]:
    for number, line in enumerate(iter(partial(stream.readline, longest), b""), start=2):
        if len(line) == longest:
            raise _wrong(file, number, f"it has {longest} bytes or more")
        stripped = line.rstrip(b" \r\n")
        if stripped:
            yield stripped


def _numbers(text: bytes, dim: int, file: Path, line: int) -> NDArray[np.float32]:
    parts = text.split(b" ")
    if len(parts) != dim:
        raise _wrong(file, line, f"{len(parts)} numbers, not {dim}")
    try:
        with np.errstate(over="ignore"):
            found = np.array(parts, dtype="S").astype(np.float32)
    except ValueError as error:
        raise _wrong(file, line, str(error)) from error
    if not np.isfinite(found).all():
        raise _wrong(file, line, "a number is not finite")
    return found


def _wrong(file: Path, line: int, reason: str) -> ModelError:
    return ModelError(
        f"{file}, line {line}: no word vectors as text, or damaged ({reason}): deploy the model's archive again"
    )
