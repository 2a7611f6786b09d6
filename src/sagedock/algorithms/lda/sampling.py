"""Several chains of Gibbs sampling side by side, of which the one with the most coherent topics is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithm import Context
from sagedock.algorithms.lda.checkpoints import Checkpoints
from sagedock.algorithms.lda.gibbs import Chain, Corpus, padded
from sagedock.contracts import machine
from sagedock.errors import UserError
from sagedock.topics import measures
from sagedock.topics.documents import Documents

log = logging.getLogger(__name__)

SWEEPS_A_ROUND = 10
"""Between two of them alpha is fitted, the job may be stopped, and a checkpoint written."""
CONCENTRATION_A_TOPIC = 0.175
LIKELIHOOD_SLACK = 0.01
"""By so great a share may a chain be less likely than another, and still be the model."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """How topics are sampled; `concentration` is the sum of alpha."""

    topics: int
    sweeps: int
    chains: int
    beta: float
    concentration: float
    seed: int

    def bytes_of(self, tokens: int, words: int) -> int:
        """What all chains take in memory: a topic for each token, twice while a checkpoint is written, and counts."""
        return self.chains * (4 * tokens + 3 * 4 * words * padded(self.topics))


@dataclass(frozen=True)
class Sampled:
    """The chain that was kept; after how many sweeps its likelihood was told, and how high it was."""

    chain: Chain
    passes: Sequence[int]
    likelihoods: Sequence[float]


def require_memory(settings: Settings, documents: Documents, available: int) -> None:
    """Raise UserError when the chains do not fit into `available` bytes."""
    needed = settings.bytes_of(documents.tokens, documents.vocabulary_size)
    if needed > available:
        raise UserError(
            f"{settings.chains} chains of {settings.topics} topics for {documents.tokens:,} tokens of "
            f"{documents.vocabulary_size:,} words take {needed:,} bytes of memory, and {available:,} are available: "
            "lower _chains, num_topics or feature_dim, or choose an instance with more memory",
            field="num_topics",
        )


def sample(
    documents: Documents,
    settings: Settings,
    checkpoints: Callable[[Corpus], Checkpoints],
    context: Context,
    tell: Callable[[int, int, float], None],
) -> Sampled:
    """The most coherent of the chains, after all sweeps or as many as there was time for.

    After each round `tell` is called with the sweeps done, those in all, and the log-likelihood a word of one chain.
    """
    corpus = Corpus.of(documents)
    saved = checkpoints(corpus)
    chains, likelihoods = saved.resume(begun(corpus, settings), settings.sweeps)
    if chains[0].sweeps:
        context.something_to_save()
    with ThreadPoolExecutor(min(settings.chains, machine.cpu_count())) as pool:
        while chains[0].sweeps < settings.sweeps:
            sweeps = min(SWEEPS_A_ROUND, settings.sweeps - chains[0].sweeps)
            list(pool.map(partial(advance, sweeps=sweeps, concentration=settings.concentration), chains))
            likelihoods.append(chains[0].log_likelihood())
            context.something_to_save()
            saved.save(chains, likelihoods, last=False)
            tell(chains[0].sweeps, settings.sweeps, likelihoods[-1])
            if context.should_stop() and chains[0].sweeps < settings.sweeps:
                log.warning("SIGTERM arrived: sampling ends after %d of %d sweeps", chains[0].sweeps, settings.sweeps)
                break
    saved.save(chains, likelihoods, last=True)
    passes = [min(SWEEPS_A_ROUND * number, chains[0].sweeps) for number in range(1, len(likelihoods) + 1)]
    return Sampled(most_coherent(chains, documents), passes, likelihoods)


def begun(corpus: Corpus, settings: Settings) -> list[Chain]:
    """All chains before their first sweep."""
    alpha = np.full(settings.topics, settings.concentration / settings.topics)
    first = settings.seed * settings.chains
    return [Chain.begun(corpus, alpha, settings.beta, first + number) for number in range(settings.chains)]


def advance(chain: Chain, sweeps: int, concentration: float) -> None:
    """One round: some sweeps, and alpha fitted to what they found."""
    for _ in range(sweeps):
        chain.sweep()
    chain.fit_alpha(concentration)


def most_coherent(chains: Sequence[Chain], documents: Documents) -> Chain:
    """Of the chains that are about as likely as the likeliest, the one with the highest mean NPMI of its topics' top
    words in the documents; the first of equals. A chain far less likely than another has not found its way.
    """
    if len(chains) == 1:
        return chains[0]
    likelihoods = [chain.log_likelihood() for chain in chains]
    least = max(likelihoods) - LIKELIHOOD_SLACK * abs(max(likelihoods))
    scores = [coherence(chain, documents) for chain in chains]
    log.info("NPMI of the chains: %s", ", ".join(f"{score:.4f}" for score in scores))
    eligible = [place for place, likelihood in enumerate(likelihoods) if likelihood >= least]
    return chains[max(eligible, key=lambda place: scores[place])]


def coherence(chain: Chain, documents: Documents) -> float:
    """The mean NPMI of a chain's topics."""
    return float(measures.npmi(measures.top_words(chain.topic_words, measures.SCORED), documents).mean())
