"""Made-up sentences as word ids, whose words have neighbours that training should find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sentences:
    """What `VectorTrainer` reads; `counts` (words,) says how often each word comes."""

    words: NDArray[np.int32]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]


def of(sentences: list[list[int]], words: int) -> Sentences:
    flat = np.array([word for sentence in sentences for word in sentence], np.int32)
    starts = np.cumsum([0, *map(len, sentences)], dtype=np.int64)
    return Sentences(flat, starts, np.bincount(flat, minlength=words).astype(np.int64))


def topics(count: int, words: int = 40, groups: int = 4, length: int = 12, seed: int = 0) -> Sentences:
    """`count` sentences, each of words of one group: word w belongs to group w % groups."""
    chance = np.random.default_rng(seed)
    group = chance.integers(0, groups, (count, 1))
    drawn = group + groups * chance.integers(0, words // groups, (count, length))
    return of(drawn.tolist(), words)


def separation(vectors: NDArray[np.float32], groups: int = 4) -> float:
    """How much nearer words of one group are than words of two, by their mean cosines."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    number = np.arange(len(vectors)) % groups
    same = (number[:, None] == number) & ~np.eye(len(vectors), dtype=bool)
    return float(cosines[same].mean() - cosines[number[:, None] != number].mean())
