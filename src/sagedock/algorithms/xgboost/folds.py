"""Repeated k-fold splits (the hyperparameters _kfold and _num_cv_round)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError

Indices = NDArray[np.int32]


def repeated(
    labels: NDArray[np.float32], k: int, repetitions: int, stratified: bool, seed: int
) -> Iterator[list[tuple[Indices, Indices]]]:
    """For each repetition its k pairs (rows to train on, rows held out).

    Every row is held out once in a repetition. Stratified folds keep the share of each label. Raises UserError when
    there are fewer rows than folds.
    """
    if len(labels) < k:
        raise UserError(f"_kfold is {k}, but the channels hold only {len(labels)} rows", field="_kfold")
    generator = np.random.default_rng(abs(seed))
    for _ in range(repetitions):
        fold = _fold_of_each_row(labels, k, stratified, generator)
        yield [
            (np.flatnonzero(fold != number).astype(np.int32), np.flatnonzero(fold == number).astype(np.int32))
            for number in range(k)
        ]


def _fold_of_each_row(
    labels: NDArray[np.float32], k: int, stratified: bool, generator: np.random.Generator
) -> NDArray[np.int64]:
    order = generator.permutation(len(labels))
    if stratified:
        order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % k
    return fold
