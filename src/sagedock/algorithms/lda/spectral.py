"""Latent Dirichlet allocation by the method of moments, which is that of the built-in: topics from a tensor's cubes.

Source: SageMaker's developer guide, "How LDA Works", and Anandkumar et al., 2014. What weights and vectors of the
whitened third moment mean follows from the moments of the model,

    M2 = sum alpha_i / (alpha0 (alpha0 + 1)) beta_i x beta_i
    M3 = sum 2 alpha_i / (alpha0 (alpha0 + 1) (alpha0 + 2)) beta_i x beta_i x beta_i.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.lda.decomposition import Cubes, Search, decompose
from sagedock.algorithms.lda.moments import POWER_ITERATIONS, Doubles, Moments, Whitened
from sagedock.errors import UserError
from sagedock.topics.documents import Documents

MORE_TOPICS = 1.25
"""So many times the topics that are asked for are computed."""
_LEAST_ALPHA = 1e-6
_MOST_IN_A_DIRECTION = 2
"""Topics that may be told apart by each direction: cubes need not be orthogonal to one another."""
Floats = NDArray[np.float32]


def computed_topics(topics: int, vocabulary_size: int) -> int:
    """How many topics are computed; those with the largest alpha are returned."""
    return min(math.ceil(MORE_TOPICS * topics), vocabulary_size)


def tensor_bytes(topics: int, vocabulary_size: int) -> int:
    """What the third moment takes, and the copies of it that are there at once."""
    return 4 * 8 * computed_topics(topics, vocabulary_size) ** 3


def learn(
    documents: Documents, topics: int, alpha0: float, search: Search, say: Callable[[str], None]
) -> tuple[Floats, Floats]:
    """alpha (topics,) and beta (topics, V). Raises UserError for documents that do not tell so many topics apart."""
    computed = computed_topics(topics, documents.vocabulary_size)
    say(f"Running LDA for {computed} topics ({topics} requested)")
    random = np.random.RandomState(search.seed)
    say(f"Number of iterations: {POWER_ITERATIONS}")
    with np.printoptions(threshold=10):
        say(f"Seed of random SVD : {' '.join(str(tuple(random.get_state())[:2]).split())}")
    whitened = Moments(documents, alpha0).whitened(computed, random)
    found = whitened.whitening.shape[1]
    if found * _MOST_IN_A_DIRECTION < topics:
        raise UserError(
            f"the documents differ in {found} directions by the spectral method, too few for num_topics {topics}: "
            "lower num_topics, give more documents of three words and more, or set _engine to gibbs",
            field="num_topics",
        )
    return _topics(decompose(whitened.third, computed, search), whitened, topics, alpha0)


def _topics(cubes: Cubes, whitened: Whitened, topics: int, alpha0: float) -> tuple[Floats, Floats]:
    """The topics of the largest alpha, these found by what makes the second moment of them."""
    beta = cubes.weights[:, None] * (whitened.back @ cubes.vectors).T
    beta *= np.where(beta.sum(axis=1, keepdims=True) < 0, -1, 1)
    beta = np.maximum(beta, 0)
    sums = beta.sum(axis=1, keepdims=True)
    beta = np.where(sums > 0, beta / np.where(sums > 0, sums, 1), 1 / beta.shape[1])
    alpha = _alpha(beta, whitened, alpha0)
    largest = np.sort(np.argsort(-alpha, kind="stable")[:topics])
    alpha = np.maximum(alpha[largest], _LEAST_ALPHA)
    return (alpha * min(1, alpha0 / alpha.sum())).astype(np.float32), beta[largest].astype(np.float32)


def _alpha(beta: Doubles, whitened: Whitened, alpha0: float) -> Doubles:
    """(topics,) 0 or more: the weights by which the topics' squares, whitened, come nearest to the identity.

    By a topic's cube alone alpha would be 4 alpha0 (alpha0 + 1) / ((alpha0 + 2)^2 weight^2), which for a cube that only
    fits noise, and so has little weight, would be large.
    """
    from scipy.optimize import nnls  # for training alone

    seen = whitened.whitening.T @ beta.T
    squares = (seen[:, None] * seen[None]).reshape(-1, len(beta))
    weights: Doubles = nnls(squares, np.eye(len(seen)).ravel())[0]
    return weights * alpha0 * (alpha0 + 1)
