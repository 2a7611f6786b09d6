"""Where topics lie to one another: their distances in two dimensions, as well as two can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
_WORDS = 4096
"""By how many of the words topics are compared one by one; the others are taken together."""


def distances(probabilities: NDArray[Any]) -> Scores:
    """(topics, topics) square roots of Jensen-Shannon divergences in bits: 0 for equal topics, 1 for disjoint ones.

    The root is a metric (Endres and Schindelin, A new metric for probability distributions, 2003).
    """
    shares = _compared(probabilities)
    own = -_weighted_logs(shares).sum(axis=1)
    found = np.zeros((len(shares), len(shares)))
    for topic in range(len(shares) - 1):
        middle = (shares[topic] + shares[topic + 1 :]) / 2
        found[topic, topic + 1 :] = -_weighted_logs(middle).sum(axis=1) - (own[topic] + own[topic + 1 :]) / 2
    return np.asarray(np.sqrt(np.clip(found + found.T, 0.0, 1.0)))


def places(apart: Scores) -> tuple[Scores, Scores]:
    """(points, 2) coordinates whose distances are near those of `apart`, and the two shares of what these tell.

    Classical multidimensional scaling (Torgerson, 1952): the two largest eigenvalues of the centred squares.
    """
    count = len(apart)
    centring = np.eye(count) - 1 / max(count, 1)
    values, vectors = np.linalg.eigh(-centring @ np.square(apart) @ centring / 2)
    values, vectors = np.clip(values[::-1], 0.0, None)[:2], vectors[:, ::-1][:, :2]
    found = np.zeros((count, 2))
    found[:, : len(values)] = vectors * np.sqrt(values)
    highest = np.abs(found).argmax(axis=0) if count else np.zeros(2, int)
    signs = np.sign(found[highest, [0, 1]]) if count else np.ones(2)
    shares = np.zeros(2)
    shares[: len(values)] = values / max(float(np.square(apart).sum()) / (2 * max(count, 1)), 1e-30)
    return found * np.where(signs == 0, 1.0, signs), shares


def _compared(probabilities: NDArray[Any]) -> Scores:
    """The topics over the words that matter most in any, and all others as one."""
    whole = np.asarray(probabilities)
    if whole.shape[1] > _WORDS:
        highest = np.argpartition(whole.max(axis=0), -_WORDS)[-_WORDS:]
        part = whole[:, np.sort(highest)].astype(np.float64)
        whole = np.column_stack([part, np.clip(1 - part.sum(axis=1), 0.0, None)])
    shares = whole.astype(np.float64)
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300))


def _weighted_logs(shares: Scores) -> Scores:
    """p log2 p, which is 0 for 0."""
    return np.asarray(shares * np.log2(np.where(shares > 0, shares, 1.0)))
