"""The mathematics of word vectors: skipgram, cbow and batch_skipgram with negative sampling, one block at a time.

A block is a small matrix product: k hidden vectors, each the mean of rows of the input matrix, meet m rows of the
output matrix. What is learnt of hidden vector i and output row j is a logistic regression of `labels[i, j]`, which is
1 where the two words stand near one another and 0 where the output row's word was drawn from the noise.

skipgram: the centre word against its context and noise that the whole window shares; cbow: the mean of the context
against the centre and noise; batch_skipgram (Ji et al., Parallelizing Word2Vec in Shared and Distributed Memory, 2016):
each word of the context against the centre and noise shared by all of them.

Sources: Mikolov et al., Distributed Representations of Words and Phrases and their Compositionality, 2013; Bojanowski
et al., Enriching Word Vectors with Subword Information, 2017. This module also trains where there is no compiled core.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """(k, m)."""
    weights: Floats
    """(k, m): how often each pair counts; 0 for noise that is a target itself."""


def kept_share(counts: NDArray[np.int64], threshold: float) -> Floats:
    """The probability that a token of each word is kept: sqrt(t / f) + t / f of its share f in the text, at most 1."""
    ratio = threshold * counts.sum() / np.maximum(counts, 1)
    share: Floats = np.minimum(np.sqrt(ratio) + ratio, 1).astype(np.float32)
    return share


def noise_share(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability of each word as a negative sample."""
    powers: NDArray[np.float64] = np.maximum(counts, 0) ** NOISE_EXPONENT
    powers /= powers.sum()
    return powers


def gradients(hidden: Floats, outputs: Floats, labels: Floats, weights: Floats) -> tuple[float, Floats, Floats]:
    """The loss of hidden vectors (k, d) against output rows (m, d), and what it falls by: (k, d) and (m, d).

    The loss is the weighted sum over all pairs of the cross-entropy between label and sigmoid(hidden . output).
    """
    scores = hidden @ outputs.T
    loss = float((weights * (np.logaddexp(0, scores) - labels * scores)).sum())
    error = weights * (labels - 1 / (1 + np.exp(-scores)))
    return loss, error @ outputs, error.T @ hidden


def hidden_of(block: Block, inputs: Floats, rows: WordRows) -> Floats:
    """The hidden vectors of a block (k, d)."""
    return np.stack([inputs[rows.of_words(words)].mean(axis=0) for words in block.hidden])


def learn(block: Block, inputs: Floats, outputs: Floats, rows: WordRows, learning_rate: float) -> float:
    """Take one step; the loss before it.

    As in word2vec and fastText each row of a mean takes the hidden vector's whole gradient, not its part of it.
    """
    loss, of_hidden, of_outputs = gradients(
        hidden_of(block, inputs, rows), outputs[block.targets], block.labels, block.weights
    )
    for words, gradient in zip(block.hidden, of_hidden, strict=True):
        np.add.at(inputs, rows.of_words(words), np.float32(learning_rate) * gradient)
    np.add.at(outputs, block.targets, np.float32(learning_rate) * of_outputs)
    return loss


class Sampler:
    """Cuts sentences into blocks: what is kept, how wide each window is, and which words are the noise."""

    def __init__(self, settings: VectorSettings, counts: NDArray[np.int64], chance: np.random.Generator) -> None:
        self._settings = settings
        self._kept = kept_share(counts, settings.sampling_threshold)
        self._noise = np.cumsum(noise_share(counts))
        self._chance = chance

    def blocks(self, sentence: Ids) -> Iterator[Block]:
        """The blocks of a sentence, centre by centre."""
        words = sentence[self._chance.random(len(sentence), np.float32) < self._kept[sentence]]
        reach = self._chance.integers(1, self._settings.window_size + 1, len(words))
        for place, wide in enumerate(reach.tolist()):
            context = np.concatenate([words[max(place - wide, 0) : place], words[place + 1 : place + 1 + wide]])
            if len(context):
                yield from self._at(words[place : place + 1], context)

    def _at(self, centre: Ids, context: Ids) -> Iterator[Block]:
        if self._settings.mode == SKIPGRAM:
            yield self._block([centre], context, noise_weight=len(context))
        elif self._settings.mode == CBOW:
            yield self._block([context], centre)
        else:
            for first in range(0, len(context), self._settings.batch_size):
                yield self._block(list(context[first : first + self._settings.batch_size, None]), centre)

    def _block(self, hidden: Sequence[Ids], positives: Ids, noise_weight: float = 1) -> Block:
        drawn = self._chance.random(self._settings.negative_samples)
        noise = np.minimum(np.searchsorted(self._noise, drawn, side="right"), len(self._noise) - 1).astype(np.int32)
        shape = len(hidden), len(positives) + len(noise)
        labels = np.zeros(shape, np.float32)
        labels[:, : len(positives)] = 1
        weights = np.ones(shape, np.float32)
        weights[:, len(positives) :] = np.where(np.isin(noise, positives), 0, noise_weight)
        return Block(hidden, np.concatenate([positives, noise]), labels, weights)
