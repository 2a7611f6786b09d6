"""Latent Dirichlet allocation by collapsed Gibbs sampling: one token's topic after the other, given all others.

A token of word w in document d has topic k with a probability in proportion to

    (tokens of d in k + alpha_k) * (tokens of w in k + beta) / (tokens in k + beta * words),

the token itself not counted. For speed a few documents are worked on in step, each of them in a run of documents of
its own: tokens that are drawn at one time do not see one another, and the total of a topic is what it was when the
document was begun. Sums are made in an order of their own: compiled code finds the same topics, to the last one.

Sources: Griffiths and Steyvers, Finding scientific topics, 2004; for alpha Minka, Estimating a Dirichlet distribution,
2000 (equation 55), which Wallach et al., Rethinking LDA: why priors matter, 2009, recommend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.lda.chance import shares
from sagedock.topics.documents import Documents

GROUP = 8
"""Topics side by side; counts are padded with zeros to a multiple of it."""
STREAMS = 8
"""Documents that are worked on at once."""
MOST_TOPICS = 2**16
"""As many as two bytes for each token tell apart."""
LEAST_ALPHA = 1e-4
"""A topic that no document has keeps so small a prior, lest it be lost for good."""
_ALPHA_ROUNDS = 5
_ENTRIES_AT_ONCE = 1 << 22

Counts = NDArray[np.int32]
Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


def padded(topics: int) -> int:
    """How many counts a word has."""
    return -(-topics // GROUP) * GROUP


@dataclass(frozen=True)
class Corpus:
    """Documents as tokens: word `words[i]` for i from `starts[d]` up to `starts[d + 1]`."""

    starts: NDArray[np.int64]
    words: Counts
    vocabulary_size: int

    @classmethod
    def of(cls, documents: Documents) -> Corpus:
        """A token for each time that a word is counted."""
        times = documents.counts.astype(np.int64)
        ends = np.zeros(len(times) + 1, np.int64)
        np.cumsum(times, out=ends[1:])
        return cls(ends[documents.starts], np.repeat(documents.words, times), documents.vocabulary_size)

    @property
    def documents(self) -> int:
        """How many there are."""
        return len(self.starts) - 1


@dataclass
class Chain:
    """A state of the sampler: the topic of each token, and what is counted of them.

    `word_topics` (words, padded topics) and `totals` (padded topics) follow from `assigned` (tokens); `alpha` (topics)
    is the prior of a document's topics, `beta` that of a topic's words. `sweeps` are those done.
    """

    corpus: Corpus
    assigned: NDArray[np.uint16]
    alpha: Doubles
    beta: float
    seed: int
    sweeps: int = 0

    def __post_init__(self) -> None:
        words, width = self.corpus.vocabulary_size, padded(len(self.alpha))
        places = self.corpus.words.astype(np.int64) * width + self.assigned
        self.word_topics = np.bincount(places, minlength=words * width).astype(np.int32).reshape(words, width)
        self.totals = self.word_topics.sum(axis=0, dtype=np.int32)

    @classmethod
    def begun(cls, corpus: Corpus, alpha: Doubles, beta: float, seed: int) -> Chain:
        """Every token of a topic drawn at random."""
        topics = len(alpha)
        draws = shares(seed, 0, len(corpus.words)) * np.float32(topics)
        return cls(corpus, np.minimum(draws, topics - 1).astype(np.uint16), alpha.copy(), beta, seed)

    def sweep(self) -> None:
        """Draw every token's topic anew."""
        self.sweeps += 1  # stream 0 was for the beginning
        alpha = np.zeros(len(self.totals), np.float32)
        alpha[: len(self.alpha)] = self.alpha
        all_words = float(np.float32(self.beta * self.corpus.vocabulary_size))
        if core.native is None:
            _Sweep(self, alpha, np.float32(self.beta), np.float32(all_words)).run()
            return
        core.native.sweep_topics(
            self.corpus.starts,
            self.corpus.words,
            self.assigned,
            self.word_topics,
            self.totals,
            topics=len(self.alpha),
            alpha=alpha,
            beta=self.beta,
            all_words=all_words,
            seed=self.seed % 2**64,
            sweep=self.sweeps,
        )

    def fit_alpha(self, total: float | None = None) -> None:
        """Move alpha towards what makes the documents' topics most likely; its sum is held at `total`, if given."""
        if core.native is None:
            self.alpha = _fitted(self.corpus, self.assigned, self.alpha)
        else:
            core.native.fit_topic_prior(
                self.corpus.starts, self.assigned, self.alpha, rounds=_ALPHA_ROUNDS, least=LEAST_ALPHA
            )
        if total is not None:
            self.alpha = np.maximum(self.alpha * (total / float(np.cumsum(self.alpha)[-1])), LEAST_ALPHA)

    def log_likelihood(self) -> float:
        """That of the words, given their topics, a word (Griffiths and Steyvers, equation 2)."""
        beta, all_words = self.beta, self.beta * self.corpus.vocabulary_size
        counts = self.word_topics[self.word_topics > 0]
        found, times = np.unique(counts, return_counts=True)
        gains = np.array([math.lgamma(count + beta) - math.lgamma(beta) for count in found.tolist()])
        totals = self.totals[: len(self.alpha)].tolist()
        losses = [math.lgamma(total + all_words) - math.lgamma(all_words) for total in totals]
        return (float(gains @ times) - math.fsum(losses)) / max(1, len(self.corpus.words))

    @property
    def topic_words(self) -> Floats:
        """(topics, words): the probability of each word in each topic."""
        counts = self.word_topics[:, : len(self.alpha)].T.astype(np.float64) + self.beta
        words: Floats = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
        return words


class _Sweep:
    """One sweep in NumPy: streams of documents in step."""

    def __init__(self, chain: Chain, alpha: Floats, beta: np.float32, all_words: np.float32) -> None:
        self.chain, self.alpha, self.beta, self.all_words = chain, alpha, beta, all_words
        self.starts = chain.corpus.starts
        self.shares = shares(chain.seed, chain.sweeps, len(chain.corpus.words))
        width = len(chain.totals)
        self.counts, self.before = np.zeros((2, STREAMS, width), np.int32)
        self.parts = np.zeros((STREAMS, width), np.float32)
        self.document, self.last, self.token, self.end = np.zeros((4, STREAMS), np.int64)
        ends = np.arange(1, STREAMS) * (len(chain.corpus.words) // STREAMS)
        cuts = np.searchsorted(self.starts[:-1], ends)
        self.active: list[int] = []
        for stream, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(self.starts) - 1], strict=True)):
            self.document[stream], self.last[stream] = begin, end
            if self._open(stream):
                self.active.append(stream)

    def run(self) -> None:
        chain = self.chain
        while self.active:
            streams = np.array(self.active)
            tokens = self.token[streams]
            words, old = chain.corpus.words[tokens], chain.assigned[tokens]
            np.subtract.at(chain.word_topics, (words, old), 1)
            self.counts[streams, old] -= 1
            new = self._drawn(streams, chain.word_topics[words], self.shares[tokens])
            np.add.at(chain.word_topics, (words, new), 1)
            self.counts[streams, new] += 1
            chain.assigned[tokens] = new
            self.token[streams] += 1
            for place in reversed(range(len(self.active))):
                self._go_on(place)

    def _drawn(self, streams: NDArray[np.int64], rows: Counts, share: Floats) -> NDArray[np.int64]:
        here = self.counts[streams].astype(np.float32) + self.alpha
        weights = here * self.parts[streams] * (rows.astype(np.float32) + self.beta)
        sums = _summed(weights)
        bound = share * sums[:, -1]
        drawn: NDArray[np.int64] = np.minimum((sums <= bound[:, None]).sum(axis=1), len(self.chain.alpha) - 1)
        return drawn

    def _go_on(self, place: int) -> None:
        """From a document that is done to the next of its stream, or without the stream."""
        stream = self.active[place]
        if self.token[stream] < self.end[stream]:
            return
        self.chain.totals += self.counts[stream] - self.before[stream]
        self.document[stream] += 1
        if not self._open(stream):
            self.active[place] = self.active[-1]
            self.active.pop()

    def _open(self, stream: int) -> bool:
        """Stand before the next document that has tokens; False when there is none."""
        starts, document, last = self.starts, self.document[stream], self.last[stream]
        while document < last and starts[document] == starts[document + 1]:
            document += 1
        self.document[stream] = document
        if document == last:
            return False
        self.token[stream], self.end[stream] = starts[document], starts[document + 1]
        tokens = self.chain.assigned[starts[document] : starts[document + 1]]
        self.counts[stream] = self.before[stream] = np.bincount(tokens, minlength=self.counts.shape[1])
        topics = len(self.chain.alpha)
        totals = self.chain.totals[:topics].astype(np.float32)
        self.parts[stream, :topics] = np.float32(1) / (totals + self.all_words)
        return True


def _summed(weights: Floats) -> Floats:
    """Sums up to each number of a row: of pairs, fours and eights, and then of one eight after the other."""
    eights = weights.reshape(len(weights), -1, 2, 4)
    pairs = eights.copy()
    pairs[..., 1:] += eights[..., :-1]
    fours = pairs.copy()
    fours[..., 2:] += pairs[..., :-2]
    fours[..., 1, :] += fours[..., 0, 3:]
    sums = fours.reshape(len(weights), -1, GROUP)
    for group in range(1, sums.shape[1]):
        sums[:, group] += sums[:, group - 1, 7:]
    return sums.reshape(weights.shape)


def _fitted(corpus: Corpus, assigned: NDArray[np.uint16], alpha: Doubles) -> Doubles:
    """Minka's fixed point, a few rounds from `alpha`."""
    topics = len(alpha)
    lengths = np.diff(corpus.starts)
    longest = int(lengths.max(initial=0))
    having = np.zeros((topics, longest + 1), np.int64)  # documents by how many tokens they have of a topic
    at_once = max(1, _ENTRIES_AT_ONCE // topics)
    for begin in range(0, corpus.documents, at_once):
        starts = corpus.starts[begin : begin + at_once + 1]
        rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        places = rows * topics + assigned[starts[0] : starts[-1]]
        counts = np.bincount(places, minlength=(len(starts) - 1) * topics).reshape(-1, topics)
        for topic in range(topics):
            having[topic] += np.bincount(counts[:, topic], minlength=longest + 1)
    of_length = _more(np.bincount(lengths, minlength=longest + 1))
    of_topic = [_more(row) for row in having]
    for _ in range(_ALPHA_ROUNDS):
        all_lengths = _rise(of_length, float(np.cumsum(alpha)[-1]))
        if not all_lengths > 0:
            return alpha
        rises = np.array([_rise(more, shift) for more, shift in zip(of_topic, alpha, strict=True)])
        alpha = np.maximum(alpha * rises / all_lengths, LEAST_ALPHA)
    return alpha


def _more(having: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of how many documents the number is larger than 0, larger than 1 and so on."""
    return np.cumsum(having[:0:-1])[::-1]


def _rise(more: NDArray[np.int64], shift: float) -> float:
    """The sum of digamma(number + shift) - digamma(shift) over documents."""
    terms = more / (np.arange(len(more)) + shift)
    return float(np.cumsum(terms)[-1]) if len(terms) else 0.0
