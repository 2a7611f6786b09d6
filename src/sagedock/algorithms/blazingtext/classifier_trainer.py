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
from sagedock.algorithms.blazingtext.chance import stream
from sagedock.algorithms.blazingtext.classifier import Classifier
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.algorithms.blazingtext.probabilities import Floats
from sagedock.algorithms.blazingtext.weights import padded

_SLICE = 1 << 18  # tokens between two looks at what `watch` says
_SLAB = 1 << 16  # rows that are filled at once

Watch = Callable[["ClassifierProgress"], bool]
"""Called now and then while an epoch runs; training ends soon after it returns False."""


@dataclass(frozen=True)
class ClassifierSettings:
    """How a classifier is trained; the names and defaults are those of the hyperparameters."""

    vector_dim: int = 100
    learning_rate: float = 0.05
    epochs: int = 5
    idf: bool = False
    """Rows move by their inverse frequency, see `scales`; an extension of sagedock."""
    shuffle: bool = False
    """Each epoch has an order of its own, drawn; an extension of sagedock."""


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
        self._scales = scales(examples) if settings.idf else None
        self._input = padded(len(examples.seen), settings.vector_dim)
        self._output = padded(labels, settings.vector_dim)
        self.input = self._input[:, : settings.vector_dim]
        self.output = self._output[:, : settings.vector_dim]
        _fill(self.input, seed)

    @property
    def tokens(self) -> int:
        """Tokens of one epoch."""
        return int(self._examples.token_starts[-1])

    def epoch(self, number: int, watch: Watch | None = None) -> bool:
        """Learn every example once, as epoch `number`, counted from 0; False when `watch` ended it early."""
        loss, learnt, order = 0.0, 0, self._order(number)
        for first, last in self._slices():
            state = self._progress(number, first, loss / learnt if learnt else float("nan"))
            if watch is not None and not watch(state):
                return False
            loss += self._learn(number, order, first, last)
            learnt += last - first
        if watch is not None:
            watch(self._progress(number, self._count, loss / max(learnt, 1)))
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

    @property
    def _count(self) -> int:
        """How many examples there are."""
        return len(self._examples.starts) - 1

    def _order(self, epoch: int) -> NDArray[np.int64] | None:
        """Which example comes at each place; None where they come as they were read."""
        if not self._settings.shuffle:
            return None
        return np.random.default_rng([self._seed, 1, epoch]).permutation(self._count)

    def _slices(self) -> Iterator[tuple[int, int]]:
        """Ranges of places of about so many tokens each."""
        first, count = 0, self._count
        while first < count:
            last = max(self._place(self._done(first) + _SLICE), first + 1)
            yield first, min(last, count)
            first = last

    def _place(self, tokens: float) -> int:
        """The place before which so many tokens of an epoch are read."""
        if self._settings.shuffle:
            return int(tokens * self._count / self.tokens)
        return int(np.searchsorted(self._examples.token_starts, tokens, side="left"))

    def _done(self, place: int) -> float:
        """The tokens of an epoch that are read before a place, on average where places are drawn."""
        if self._settings.shuffle:
            return place / self._count * self.tokens
        return int(self._examples.token_starts[place])

    def _learn(self, epoch: int, order: NDArray[np.int64] | None, first: int, last: int) -> float:
        """Learn the examples at some places in order; the sum of their losses."""
        examples, tokens = self._examples, self.tokens
        if core.native is None:
            return sum(self._learn_one(epoch, order, place) for place in range(first, last))
        return core.native.learn(
            self._input,
            self._output,
            examples.rows,
            examples.starts,
            examples.labels,
            examples.label_starts,
            examples.token_starts,
            order=order,
            weights=self._weights,
            scales=self._scales,
            first=first,
            last=last,
            rate=self._settings.learning_rate,
            tokens_before=epoch * tokens,
            tokens_in_all=self._settings.epochs * tokens,
            seed=self._seed,
            epoch=epoch,
            threads=self._threads,
        )

    def _learn_one(self, epoch: int, order: NDArray[np.int64] | None, place: int) -> float:
        example = place if order is None else int(order[place])
        begin, end = self._examples.starts[example : example + 2]
        label = self._label(epoch, example)
        rate = np.float32(self._rate(epoch, self._done(place))) * self._weights[label]
        return learn(self.input, self.output, self._examples.rows[begin:end], label, rate, self._scales)

    def _label(self, epoch: int, example: int) -> int:
        """The label that an example is learnt by in an epoch: of several, one is drawn each time."""
        begin, end = (int(place) for place in self._examples.label_starts[example : example + 2])
        return int(self._examples.labels[begin + stream(self._seed, epoch, example) % (end - begin)])

    def _progress(self, epoch: int, place: int, loss: float) -> ClassifierProgress:
        done = self._done(place)
        total = self._settings.epochs * self.tokens
        return ClassifierProgress(epoch * self.tokens + int(done), total, self._rate(epoch, done), loss)

    def _rate(self, epoch: int, done: float) -> float:
        """The learning rate falls from its full height to 0 in a straight line."""
        share = (epoch * self.tokens + done) / max(self._settings.epochs * self.tokens, 1)
        return self._settings.learning_rate * max(1.0 - share, 0.0)


def learn(
    inputs: Floats,
    outputs: Floats,
    rows: NDArray[np.int32],
    label: int,
    rate: np.float32,
    scales: Floats | None = None,
) -> float:
    """One step down the gradient of -log p(label | rows); the loss before it.

    A row that comes twice is counted and corrected twice; `scales` multiplies the step of each row.
    """
    share = np.float32(1.0 / len(rows))
    hidden = inputs[rows].sum(axis=0) * share
    found = probabilities.softmax(probabilities.dots(outputs, hidden))
    errors = -rate * found
    errors[label] += rate
    correction = errors @ outputs
    outputs += np.outer(errors, hidden)
    steps = np.ones(len(rows), np.float32) if scales is None else scales[rows]
    np.add.at(inputs, rows, np.outer(steps, correction * share))
    return float(-np.log(max(found[label], np.finfo(np.float32).tiny)))


def scales(examples: Examples) -> Floats:
    """What the step of each row is multiplied by (rows,): log(1 + examples / occurrences) squared, 1 on average.

    That is inverse document frequency, squared because it would stand in the row and in its gradient, had the row been
    multiplied by it; learnt in place of that, it leaves a model of fastText's form. Source of the measure: Spärck
    Jones, A statistical interpretation of term specificity, 1972.
    """
    occurrences = np.zeros(len(examples.seen), np.int64)
    for begin in range(0, len(examples.rows), _SLICE):
        occurrences += np.bincount(examples.rows[begin : begin + _SLICE], minlength=len(occurrences))
    found = np.log1p((len(examples.starts) - 1) / occurrences) ** 2
    return np.asarray(found / np.average(found, weights=occurrences), np.float32)


def _fill(matrix: Floats, seed: int) -> None:
    """Uniform random numbers between -1 and 1 over the number of columns, as fastText begins."""
    chance = np.random.default_rng([seed, 0])
    for first in range(0, len(matrix), _SLAB):
        slab = matrix[first : first + _SLAB]
        slab[:] = (chance.random(slab.shape, np.float32) * 2 - 1) / np.float32(slab.shape[1])
