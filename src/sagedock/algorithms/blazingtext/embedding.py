"""Word vectors ready to be asked: a word's row, or the mean of its row and of those of its subwords."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext import vectors_file
from sagedock.algorithms.blazingtext.fasttext_file import FastTextFile
from sagedock.algorithms.blazingtext.vectors_file import Vectors
from sagedock.errors import ModelError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Embedding:
    """`rows` tells which rows of the matrix a word has: none for a word that is not known and has no known subwords."""

    words: Sequence[bytes]
    """By descending count."""
    matrix: Any
    """(rows, dim) of 32-bit floats, perhaps mapped from a file, or a quantised matrix: rows are taken by number."""
    rows: Callable[[bytes], Sequence[int]]
    simple: bool = False
    """Whether word i has row i and no other."""

    @classmethod
    def of_file(cls, file: FastTextFile) -> Embedding:
        """The vectors of a model of words, or of the words of a classifier."""
        simple = file.dictionary.ngrams.max_char <= 0
        return cls(file.dictionary.words, file.input, file.dictionary.subwords, simple)

    @classmethod
    def of_vectors(cls, vectors: Vectors) -> Embedding:
        """Vectors that came as text, without subwords."""
        places: Mapping[bytes, int] = {word: place for place, word in enumerate(vectors.words)}

        def rows(word: bytes) -> Sequence[int]:
            return [places[word]] if word in places else []

        return cls(vectors.words, vectors.values, rows, simple=True)

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return int(self.matrix.shape[1])

    @cached_property
    def memory_bytes(self) -> int:
        """What the matrix takes in memory."""
        return int(self.matrix.nbytes)

    def vector(self, word: bytes) -> Floats:
        """The word's vector (dim,): fastText's sum of its rows, divided by how many they are.

        Raises ModelError when it holds what is no finite number.
        """
        numbers = self.rows(word)
        if not numbers:
            return np.zeros(self.dim, np.float32)
        total = np.add.reduce(self.matrix[numbers], axis=0)
        found: Floats = total * np.float32(1.0 / len(numbers))
        if not np.isfinite(found).all():
            raise ModelError("the model holds numbers that are not finite: train it again with a lower learning_rate")
        return found

    def vectors(self, begin: int, end: int) -> Floats:
        """The vectors of the words from one up to another (words, dim)."""
        if self.simple:
            return np.asarray(self.matrix[begin:end], np.float32)
        return np.stack([self.vector(word) for word in self.words[begin:end]])

    def write(self, file: Path) -> None:
        """All words as text."""
        vectors_file.write(file, self.words, self.vectors, self.dim)
