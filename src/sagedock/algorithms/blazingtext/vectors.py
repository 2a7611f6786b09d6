"""The mathematics of word vectors: skipgram, cbow and batch_skipgram with negative sampling, one block at a time.

A block is a small matrix product: k hidden vectors, each the mean of rows of the input matrix, meet m rows of the
output matrix, those of the centre word and of negatives, which are words drawn from the noise. What is learnt of each
pair is a logistic regression of whether the output row's word is the centre.

skipgram: a hidden vector for each word of the context, all against one set of negatives; batch_skipgram: the same, in
blocks of at most `batch_size` words of the context; cbow: the mean of the whole context is the one hidden vector. That
the words of a window share their negatives turns many dot products into one small matrix product (Ji et al.,
Parallelizing Word2Vec in Shared and Distributed Memory, 2016).

Sources: Mikolov et al., Distributed Representations of Words and Phrases and their Compositionality, 2013; Bojanowski
et al., Enriching Word Vectors with Subword Information, 2017. This module also trains where there is no compiled core.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.chance import Chance

SKIPGRAM, CBOW, BATCH_SKIPGRAM = "skipgram", "cbow", "batch_skipgram"
MODES = (SKIPGRAM, CBOW, BATCH_SKIPGRAM)
NOISE_EXPONENT = 0.5
"""Negatives are drawn in proportion to counts to this power: fastText's choice, where word2vec took 0.75."""

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]


@dataclass(frozen=True)
class VectorSettings:
    """How word vectors are trained; the names and defaults are those of the hyperparameters."""

    mode: str
    vector_dim: int = 100
    window_size: int = 5
    """Words on either side; each centre word draws how many of them count, 1 to this."""
    negative_samples: int = 5
    learning_rate: float = 0.05
    sampling_threshold: float = 1e-4
    epochs: int = 5
    batch_size: int = 11
    """Words of the context in one block of batch_skipgram, at most."""

    def __post_init__(self) -> None:
        """Raises ValueError for a mode that there is not."""
        if self.mode not in MODES:
            raise ValueError(f"mode {self.mode!r} is none of {', '.join(MODES)}")


@dataclass(frozen=True)
class WordRows:
    """Which rows of the input matrix belong to each word: its own, and those of its character n-grams."""

    starts: NDArray[np.int64]
    """(words + 1,): where each word's rows begin in `ids`."""
    ids: Ids
    count: int
    """How many rows the input matrix has."""

    @classmethod
    def single(cls, words: int) -> WordRows:
        """One row a word."""
        return cls(np.arange(words + 1, dtype=np.int64), np.arange(words, dtype=np.int32), words)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], count: int) -> WordRows:
        """The given rows of each word, of `count` in all."""
        starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return cls(starts, np.fromiter((row for some in rows for row in some), np.int32, int(starts[-1])), count)

    @cached_property
    def is_single(self) -> bool:
        """Whether row i is word i's, and no other."""
        return self.count == len(self.starts) - 1 and np.array_equal(self.ids, np.arange(self.count))

    def of_words(self, words: Sequence[int] | Ids) -> Ids:
        """The rows of several words, one word's after the other's."""
        return np.concatenate([self.ids[self.starts[word] : self.starts[word + 1]] for word in words])


@dataclass(frozen=True)
class Block:
    """What is learnt at once: hidden vectors against output rows."""

    hidden: Sequence[Ids]
    """The words whose rows are averaged into each of the k hidden vectors."""
    targets: Ids
    """(m,): words, whose rows of the output matrix these are; one may come twice."""
    labels: Floats
    """(m,): 1 for the centre word, 0 for noise."""
    weights: Floats
    """(m,): how often each target counts; 0 for noise that is the centre word."""
    output_speed: float = 1
    """How many times faster output rows move than rows of the input matrix."""


def kept_share(counts: NDArray[np.int64], threshold: float) -> Floats:
    """The probability that a token of each word is kept: sqrt(t / f) + t / f of its share f in the text, at most 1."""
    ratio = threshold * counts.sum() / np.maximum(counts, 1)
    share: Floats = np.minimum(np.sqrt(ratio) + ratio, 1).astype(np.float32)
    return share


def noise_share(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability of each word as a negative sample."""
    powers: NDArray[np.float64] = np.maximum(counts, 0) ** NOISE_EXPONENT
    powers /= max(powers.sum(), 1)
    return powers


def noise_limits(counts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """2^32 times the probability that a negative sample is each word or one before it: what a draw is compared with."""
    limits = np.floor(np.cumsum(noise_share(counts)) * 2.0**32).astype(np.uint64)
    last = int(np.flatnonzero(counts)[-1]) if counts.any() else len(counts) - 1
    limits[last:] = 2**32
    return limits


def gradients(hidden: Floats, outputs: Floats, labels: Floats, weights: Floats) -> tuple[float, Floats, Floats]:
    """The loss of hidden vectors (k, d) against output rows (m, d), and where it falls: (k, d) and (m, d).

    The loss is the weighted sum over all pairs of the cross-entropy between label and sigmoid(hidden . output).
    """
    scores: Floats = hidden @ outputs.T
    loss = float((weights * (np.logaddexp(0, scores) - labels * scores)).sum())
    error = weights * (labels - np.reciprocal(1 + np.exp(np.clip(-scores, -60, 60))))
    return loss, error @ outputs, error.T @ hidden


def hidden_of(block: Block, inputs: Floats, rows: WordRows) -> Floats:
    """The hidden vectors of a block (k, d)."""
    return np.stack([inputs[rows.of_words(words)].mean(axis=0) for words in block.hidden])


def learn(block: Block, inputs: Floats, outputs: Floats, rows: WordRows, learning_rate: float) -> float:
    """Take one step; the loss before it.

    As in word2vec and fastText each row of a mean takes the hidden vector's whole gradient, not its part of it. For n
    words that is the slope of n times the loss, by which output rows would move n times as far as those programs move
    them. cbow takes the middle, the square root of n (decision 0035).
    """
    loss, of_hidden, of_outputs = gradients(
        hidden_of(block, inputs, rows), outputs[block.targets], block.labels, block.weights
    )
    for words, gradient in zip(block.hidden, of_hidden, strict=True):
        np.add.at(inputs, rows.of_words(words), np.float32(learning_rate) * gradient)
    np.add.at(outputs, block.targets, np.float32(learning_rate * block.output_speed) * of_outputs)
    return loss


class Sampler:
    """Cuts sentences into blocks: what is kept, how wide each window is, and which words are the noise."""

    def __init__(self, settings: VectorSettings, counts: NDArray[np.int64]) -> None:
        self._settings = settings
        self.kept = kept_share(counts, settings.sampling_threshold)
        self.noise = noise_limits(counts)

    def blocks(self, sentence: Ids, chance: Chance) -> Iterator[Block]:
        """The blocks of a sentence, centre by centre."""
        words = sentence[chance.shares(len(sentence)) < self.kept[sentence]]
        reach = 1 + chance.below(self._settings.window_size, len(words))
        for place, wide in enumerate(reach.tolist()):
            context = np.concatenate([words[max(place - wide, 0) : place], words[place + 1 : place + 1 + wide]])
            if len(context):
                for hidden in self._hidden(context):
                    yield self._block(hidden, int(words[place]), chance)

    def _block(self, hidden: Sequence[Ids], centre: int, chance: Chance) -> Block:
        noise = np.searchsorted(self.noise, chance.halves(self._settings.negative_samples), side="right")
        targets = np.concatenate([[centre], noise]).astype(np.int32)
        labels = np.zeros(len(targets), np.float32)
        labels[0] = 1
        weights = np.where((targets == centre) == labels, 1, 0).astype(np.float32)
        speed = math.sqrt(len(hidden[0])) if self._settings.mode == CBOW else 1
        return Block(hidden, targets, labels, weights, speed)

    def _hidden(self, context: Ids) -> Iterator[Sequence[Ids]]:
        """What each block of a context has as hidden vectors."""
        if self._settings.mode == CBOW:
            yield [context]
            return
        most = self._settings.batch_size if self._settings.mode == BATCH_SKIPGRAM else len(context)
        for first in range(0, len(context), most):
            yield list(context[first : first + most, None])
