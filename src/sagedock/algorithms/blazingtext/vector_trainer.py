"""Training word vectors epoch by epoch: the two matrices, the learning rate, and threads that share them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.vectors import Floats, Ids, Sampler, VectorSettings, WordRows, learn

_SLAB = 1 << 16  # rows that are filled at once
_ALIGNMENT = 64  # bytes
_LANE = 8  # rows are padded with zeros to a multiple of so many numbers

Watch = Callable[["VectorProgress"], bool]
"""Called now and then while an epoch runs; training ends soon after it returns False."""


class Text(Protocol):
    """Sentences as word ids; `sagedock.algorithms.blazingtext.corpus.Sentences` is one."""

    @property
    def words(self) -> Ids:
        """The ids of all sentences, one after the other."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """(sentences + 1,): where each begins in `words`."""


@dataclass(frozen=True)
class VectorProgress:
    """How far training has come."""

    words: int
    """Words read so far, in all epochs, those that sub-sampling left out among them."""
    total: int
    """Words of all epochs."""
    learning_rate: float
    """That of the next word."""

    @property
    def share(self) -> float:
        """Of the whole training, 0 to 1."""
        return self.words / max(self.total, 1)


class VectorTrainer:
    """Word vectors while they are trained: `input` (rows, dim) holds those of words and n-grams, `output` (words, dim)
    what they are trained against. Both may be set from a checkpoint between two epochs.

    One thread and the same seed give the same vectors bit for bit, whatever epoch training begins with; several
    threads write to the same matrices without a lock (Recht et al., Hogwild!, 2011) and give similar ones.
    """

    def __init__(
        self,
        text: Text,
        counts: NDArray[np.int64],
        settings: VectorSettings,
        *,
        rows: WordRows | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        """`counts` (words,) says how often each word comes; `rows` defaults to one row a word."""
        self._text = text
        self._counts = counts
        self._settings = settings
        self._rows = WordRows.single(len(counts)) if rows is None else rows
        self._seed = seed
        self._threads = threads
        self.input = _padded(self._rows.count, settings.vector_dim)
        self.output = _padded(len(counts), settings.vector_dim)
        _fill(self.input, seed)

    @property
    def words(self) -> int:
        """Words of one epoch."""
        return int(self._text.starts[-1] - self._text.starts[0])

    def epoch(self, number: int, watch: Watch | None = None) -> bool:
        """Read the text once, as epoch `number`, counted from 0; False when `watch` ended it early."""
        chance = np.random.default_rng([self._seed, 1, number])
        sampler = Sampler(self._settings, self._counts, chance)
        starts = self._text.starts
        for sentence in range(len(starts) - 1):
            state = self._progress(number, int(starts[sentence] - starts[0]))
            if watch is not None and not watch(state):
                return False
            for block in sampler.blocks(np.asarray(self._text.words[starts[sentence] : starts[sentence + 1]])):
                learn(block, self.input, self.output, self._rows, state.learning_rate)
        if watch is not None:
            watch(self._progress(number, self.words))
        return True

    def vectors(self, words: slice = slice(None)) -> Floats:
        """The vectors of some or all words (words, dim): the mean of each word's rows."""
        chosen = range(len(self._counts))[words]
        rows = self._rows
        if rows.count == len(self._counts) == len(rows.ids):
            return np.ascontiguousarray(self.input[words])
        means = [self.input[rows.of_words([word])].mean(axis=0) for word in chosen]
        return np.stack(means) if means else np.empty((0, self._settings.vector_dim), np.float32)

    def _progress(self, epoch: int, done: int) -> VectorProgress:
        total = self._settings.epochs * self.words
        words = epoch * self.words + done
        rate = self._settings.learning_rate * max(1 - words / max(total, 1), 0)
        return VectorProgress(words, total, rate)


def _padded(rows: int, columns: int) -> Floats:
    """A matrix of zeros whose rows begin at multiples of a vector register's size, for the compiled core."""
    stride = -(-columns // _LANE) * _LANE
    memory = np.zeros(rows * stride + _ALIGNMENT // 4, np.float32)
    first = -memory.ctypes.data % _ALIGNMENT // 4
    return memory[first : first + rows * stride].reshape(rows, stride)[:, :columns]


def _fill(matrix: Floats, seed: int) -> None:
    """Uniform random numbers between -1 and 1 over the number of columns, as fastText begins."""
    chance = np.random.default_rng([seed, 0])
    for first in range(0, len(matrix), _SLAB):
        slab = matrix[first : first + _SLAB]
        slab[:] = (chance.random(slab.shape, np.float32) * 2 - 1) / np.float32(slab.shape[1])
