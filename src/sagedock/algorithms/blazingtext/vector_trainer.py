"""Training word vectors epoch by epoch: the two matrices, the learning rate, and threads that share them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithm import Cluster
from sagedock.algorithms.blazingtext.chance import Chance, stream
from sagedock.algorithms.blazingtext.vectors import Floats, Ids, Sampler, VectorSettings, WordRows, learn
from sagedock.algorithms.blazingtext.weights import padded

_SLAB = 1 << 14  # rows that are filled at once
_SLICE = 1 << 16  # words of each thread between two looks at what `watch` says
_ROUND = 1 << 20  # words of each host between two exchanges
_FASTEST = 2  # times the learning rate, on hosts that many or more: their mean moves as far as the mean of all moved
_INITIAL, _EPOCH = 0, 1  # streams of random numbers

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
        cluster: Cluster | None = None,
    ) -> None:
        """`counts` (words,) says how often each word comes; `rows` defaults to one row a word.

        Of a cluster every host has the whole text and learns its share of it. Raises ValueError for ids that lead
        nowhere.
        """
        self._text = text
        self._settings = settings
        self._rows = WordRows.single(len(counts)) if rows is None else rows
        self._seed = seed
        self._threads = threads
        self._cluster = cluster
        self._speed = min(len(cluster.hosts), _FASTEST) if cluster is not None else 1
        self._first, self._last = self._share()
        self._sampler = Sampler(settings, counts)
        self._input = padded(self._rows.count, settings.vector_dim)
        self._output = padded(len(counts), settings.vector_dim)
        self.input = self._input[:, : settings.vector_dim]
        self.output = self._output[:, : settings.vector_dim]
        _fill(self.input, stream(seed, _INITIAL))
        self._compiled = self._compile(core.native) if core.native is not None else None

    @property
    def words(self) -> int:
        """Words of one epoch, on this host."""
        return int(self._text.starts[self._last] - self._text.starts[self._first])

    def epoch(self, number: int, watch: Watch | None = None) -> bool:
        """Read the text once, as epoch `number`, counted from 0; False when `watch` ended it early.

        Hosts of a cluster end together, whichever's watcher ends it, and with the same matrices.
        """
        for first, last in self._rounds():
            goes_on = all(self._slice(number, begin, end, watch) for begin, end in self._slices(first, last))
            if not self._agree(goes_on):
                return False
        if watch is not None:
            watch(self._progress(number, self._last))
        return True

    def vectors(self, words: slice = slice(None)) -> Floats:
        """The vectors of some or all words (words, dim): the mean of each word's rows."""
        chosen = range(len(self.output))[words]
        rows = self._rows
        if rows.is_single:
            return np.ascontiguousarray(self.input[words])
        means = [self.input[rows.of_words([word])].mean(axis=0) for word in chosen]
        return np.stack(means) if means else np.empty((0, self._settings.vector_dim), np.float32)

    def _share(self) -> tuple[int, int]:
        """The sentences of this host: as many words as any other's, but for a sentence."""
        rank, hosts = (self._cluster.rank, len(self._cluster.hosts)) if self._cluster is not None else (0, 1)
        first, last = self._cut(0, len(self._text.starts) - 1, hosts)[rank]
        return first, last

    def _rounds(self) -> list[tuple[int, int]]:
        """Ranges of sentences between two exchanges with other hosts, as many of them on each host."""
        if self._cluster is None or len(self._cluster.hosts) == 1:
            return [(self._first, self._last)]
        words = int(self._text.starts[-1] - self._text.starts[0]) // len(self._cluster.hosts)
        return self._cut(self._first, self._last, max(words // _ROUND, 1))

    def _slices(self, first: int, last: int) -> list[tuple[int, int]]:
        """Ranges of sentences between two looks at what `watch` says."""
        words = int(self._text.starts[last] - self._text.starts[first])
        return self._cut(first, last, -(-words // (_SLICE * self._threads)))

    def _cut(self, first: int, last: int, count: int) -> list[tuple[int, int]]:
        """The sentences from `first` up to `last` in `count` ranges of about as many words each."""
        starts = self._text.starts
        words = np.linspace(int(starts[first]), int(starts[last]), max(count, 1) + 1, dtype=np.int64)[1:-1]
        inner = first + np.searchsorted(starts[first : last + 1], words)
        ends = [first, *inner.tolist(), last]
        return list(pairwise(ends))

    def _agree(self, goes_on: bool) -> bool:
        """Make the matrices the mean of all hosts'; whether every host goes on."""
        if self._cluster is None:
            return goes_on
        self._cluster.mean([self._input, self._output])
        return not self._cluster.anyone(not goes_on)

    def _slice(self, epoch: int, first: int, last: int, watch: Watch | None) -> bool:
        """Learn some sentences; False, and nothing is learnt, when `watch` ends it."""
        if watch is not None and not watch(self._progress(epoch, first)):
            return False
        self._learn(epoch, first, last)
        return True

    def _learn(self, epoch: int, first: int, last: int) -> None:
        name, done, total = stream(self._seed, _EPOCH, epoch), self._done(epoch, first), self._total
        if self._compiled is not None:
            rate, threads = self._settings.learning_rate * self._speed, self._threads
            self._compiled.learn(
                first=first, last=last, stream=name, done=done, total=total, rate=rate, threads=threads
            )
            return
        starts = self._text.starts
        for sentence in range(first, last):
            words = np.asarray(self._text.words[starts[sentence] : starts[sentence + 1]])
            rate = self._progress(epoch, sentence).learning_rate * self._speed
            for block in self._sampler.blocks(words, Chance(name, sentence)):
                learn(block, self.input, self.output, self._rows, rate)

    def _compile(self, native: core.Native) -> core.WordVectors:
        settings = self._settings
        return native.WordVectors(
            tokens=self._text.words,
            starts=self._text.starts,
            row_starts=self._rows.starts,
            row_ids=self._rows.ids,
            kept=self._sampler.kept,
            noise=self._sampler.noise,
            input=self._input,
            output=self._output,
            width=settings.vector_dim,
            mode=settings.mode,
            window=settings.window_size,
            negatives=settings.negative_samples,
            batch=settings.batch_size,
        )

    @property
    def _total(self) -> int:
        return self._settings.epochs * self.words

    def _done(self, epoch: int, sentence: int) -> int:
        """Words read before `sentence` of an epoch."""
        return epoch * self.words + int(self._text.starts[sentence] - self._text.starts[self._first])

    def _progress(self, epoch: int, sentence: int) -> VectorProgress:
        done = self._done(epoch, sentence)
        rate = self._settings.learning_rate * max(1 - done / max(self._total, 1), 0)
        return VectorProgress(done, self._total, rate)


def _fill(matrix: Floats, name: int) -> None:
    """Uniform random numbers between -1 and 1 over the number of columns, as fastText begins."""
    for first in range(0, len(matrix), _SLAB):
        slab = matrix[first : first + _SLAB]
        slab[:] = (Chance(name, first).shares(slab.size).reshape(slab.shape) * 2 - 1) / np.float32(slab.shape[1])
