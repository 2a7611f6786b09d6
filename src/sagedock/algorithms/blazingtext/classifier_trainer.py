"""Training a text classifier epoch by epoch: stochastic gradient descent on the cross-entropy of one label a line.

Source: Joulin et al., Bag of Tricks for Efficient Text Classification, 2016; blazingtext.md section 7.2. What differs
from fastText: only rows that the training data have are held while training goes on, and all others are zero in the
model, where fastText leaves random numbers that no example ever corrected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.blazingtext import probabilities
from sagedock.algorithms.blazingtext.classifier import Classifier
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.algorithms.blazingtext.probabilities import Floats

_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_BITS_64 = (1 << 64) - 1
_SLICE = 1 << 18  # tokens between two looks at what `watch` says
_SLAB = 1 << 16  # rows that are filled at once
_ALIGNMENT = 64  # bytes
_LANES = 16  # rows are padded with zeros to a multiple of so many numbers

Watch = Callable[["ClassifierProgress"], bool]
"""Called now and then while an epoch runs; training ends soon after it returns False."""


@dataclass(frozen=True)
class ClassifierSettings:
    """How a classifier is trained; the names and defaults are those of the hyperparameters."""

    vector_dim: int = 100
    learning_rate: float = 0.05
    epochs: int = 5


@dataclass(frozen=True)
class ClassifierProgress:
    """How far training has come."""

    tokens: int
    """Tokens read so far, in all epochs."""
    total: int
    """Tokens of all epochs."""
    learning_rate: float
    """That of the next token."""
    loss: float
    """The mean cross-entropy of this epoch's examples, each before it was learnt; NaN before the first."""

    @property
    def share(self) -> float:
        """Of the whole training, 0 to 1."""
        return self.tokens / max(self.total, 1)


class ClassifierTrainer:
    """A classifier while it is trained: the numbers in `input` (seen, dim) and `output` (labels, dim) may be replaced
    by those of a checkpoint between two epochs.

    One thread and the same seed give the same model bit for bit, whatever epoch training begins with; several threads
    write to the same matrices without a lock (Recht et al., Hogwild!, 2011) and give similar ones.
    """

    def __init__(
        self,
        examples: Examples,
        settings: ClassifierSettings,
        *,
        weights: Floats | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        """`weights` (labels,) multiplies what an example of each label is learnt by; None for one each."""
        labels = len(examples.dictionary.labels)
        self._examples = examples
        self._settings = settings
        self._weights = np.ones(labels, np.float32) if weights is None else weights.astype(np.float32)
        self._seed = seed
        self._threads = threads
        self._input = _padded(len(examples.seen), settings.vector_dim)
        self._output = _padded(labels, settings.vector_dim)
        self.input = self._input[:, : settings.vector_dim]
        self.output = self._output[:, : settings.vector_dim]
        _fill(self.input, seed)

    @property
    def tokens(self) -> int:
        """Tokens of one epoch."""
        return int(self._examples.token_starts[-1])

    def epoch(self, number: int, watch: Watch | None = None) -> bool:
        """Learn every example once, as epoch `number`, counted from 0; False when `watch` ended it early."""
        loss, learnt = 0.0, 0
        for first, last in self._slices():
            state = self._progress(number, first, loss / learnt if learnt else float("nan"))
            if watch is not None and not watch(state):
                return False
            loss += self._learn(number, first, last)
            learnt += last - first
        if watch is not None:
            watch(self._progress(number, len(self._examples.starts) - 1, loss / max(learnt, 1)))
        return True

    def classifier(self) -> Classifier:
        """The model as it is now; it shares the matrices with the training."""
        return Classifier(self._examples.dictionary, self.input, self.output, places=self.places)

    @cached_property
    def places(self) -> NDArray[np.int32]:
        """For each row of the dictionary its place in `input`; -1 for one that no example has."""
        places = np.full(self._examples.dictionary.rows, -1, np.int32)
        places[self._examples.seen] = np.arange(len(self._examples.seen))
        return places

    def whole_input(self) -> Floats:
        """The input matrix with a row for every word and bucket (rows, dim), as a model file has it."""
        whole = np.zeros((self._examples.dictionary.rows, self._settings.vector_dim), np.float32)
        whole[self._examples.seen] = self.input
        return whole

    def _slices(self) -> Iterator[tuple[int, int]]:
        """Ranges of examples of about so many tokens each."""
        starts = self._examples.token_starts
        first, count = 0, len(starts) - 1
        while first < count:
            last = int(np.searchsorted(starts, starts[first] + _SLICE, side="left"))
            last = min(max(last, first + 1), count)
            yield first, last
            first = last

    def _learn(self, epoch: int, first: int, last: int) -> float:
        """Learn some examples in order; the sum of their losses."""
        examples, tokens = self._examples, self.tokens
        if core.native is None:
            return sum(self._learn_one(epoch, example) for example in range(first, last))
        return core.native.learn(
            self._input,
            self._output,
            examples.rows,
            examples.starts,
            examples.labels,
            examples.label_starts,
            examples.token_starts,
            order=None,
            weights=self._weights,
            scales=None,
            first=first,
            last=last,
            rate=self._settings.learning_rate,
            tokens_before=epoch * tokens,
            tokens_in_all=self._settings.epochs * tokens,
            seed=self._seed,
            epoch=epoch,
            threads=self._threads,
        )

    def _learn_one(self, epoch: int, example: int) -> float:
        begin, end = self._examples.starts[example : example + 2]
        label = self._label(epoch, example)
        rate = np.float32(self._rate(epoch, int(self._examples.token_starts[example]))) * self._weights[label]
        return learn(self.input, self.output, self._examples.rows[begin:end], label, rate)

    def _label(self, epoch: int, example: int) -> int:
        """The label that an example is learnt by in an epoch: of several, one is drawn each time."""
        begin, end = (int(place) for place in self._examples.label_starts[example : example + 2])
        return int(self._examples.labels[begin + draw(self._seed, epoch, example) % (end - begin)])

    def _progress(self, epoch: int, example: int, loss: float) -> ClassifierProgress:
        done = int(self._examples.token_starts[example])
        total = self._settings.epochs * self.tokens
        return ClassifierProgress(epoch * self.tokens + done, total, self._rate(epoch, done), loss)

    def _rate(self, epoch: int, done: int) -> float:
        """The learning rate falls from its full height to 0 in a straight line."""
        share = (epoch * self.tokens + done) / max(self._settings.epochs * self.tokens, 1)
        return self._settings.learning_rate * max(1.0 - share, 0.0)


def learn(inputs: Floats, outputs: Floats, rows: NDArray[np.int32], label: int, rate: np.float32) -> float:
    """One step down the gradient of -log p(label | rows); the loss before it.

    A row that comes twice is counted and corrected twice.
    """
    share = np.float32(1.0 / len(rows))
    hidden = inputs[rows].sum(axis=0) * share
    found = probabilities.softmax(probabilities.dots(outputs, hidden))
    errors = -rate * found
    errors[label] += rate
    correction = errors @ outputs
    outputs += np.outer(errors, hidden)
    np.add.at(inputs, rows, correction * share)
    return float(-np.log(max(found[label], np.finfo(np.float32).tiny)))


def _padded(rows: int, columns: int) -> Floats:
    """Zeros whose rows begin where a line of the processor's cache does."""
    stride = -(-columns // _LANES) * _LANES
    memory = np.zeros(rows * stride + _ALIGNMENT // 4, np.float32)
    first = -memory.ctypes.data % _ALIGNMENT // 4
    return memory[first : first + rows * stride].reshape(rows, stride)


def _fill(matrix: Floats, seed: int) -> None:
    """Uniform random numbers between -1 and 1 over the number of columns, as fastText begins."""
    chance = np.random.default_rng([seed, 0])
    for first in range(0, len(matrix), _SLAB):
        slab = matrix[first : first + _SLAB]
        slab[:] = (chance.random(slab.shape, np.float32) * 2 - 1) / np.float32(slab.shape[1])


def draw(seed: int, epoch: int, example: int) -> int:
    """A random number of 64 bits that depends on nothing else (Steele et al., splitmix64, 2014)."""
    state = (seed * _MIX[0] + epoch * _MIX[1] + example * _MIX[2] + _MIX[0]) & _BITS_64
    for shift, factor in ((30, _MIX[1]), (27, _MIX[2])):
        state = ((state ^ (state >> shift)) * factor) & _BITS_64
    return state ^ (state >> 31)
