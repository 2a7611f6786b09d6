"""A topic model whose answers are easy to foresee, and small vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from sagedock.topics.documents import Documents, Floats
from sagedock.topics.model import TopicModel
from sagedock.topics.preparation import Preparation
from sagedock.topics.vocabulary import Vocabulary

WORDS = ("apple", "orbit", "pear", "rocket", "engine")


def vocabulary() -> Vocabulary:
    return Vocabulary(WORDS, Preparation())


@dataclass(frozen=True)
class Shares(TopicModel):
    """Topic k has the words of the remainder k: a document's share of it is what its words are, added to 1 each."""

    answer_key: ClassVar[str] = "topic_weights"
    topics: int = 2

    @property
    def memory_bytes(self) -> int:
        return 0

    def mixtures(self, documents: Documents) -> Floats:
        counts = np.stack([documents.dense()[:, topic :: self.topics].sum(axis=1) for topic in range(self.topics)], 1)
        return ((counts + 1) / (counts + 1).sum(axis=1, keepdims=True)).astype(np.float32)

    def write(self, directory: Path) -> Sequence[str]:
        return []


def shares(known: Vocabulary | None = None, words: int = len(WORDS)) -> Shares:
    """The model; with a vocabulary if one is given."""
    return Shares(words, np.array([[0, 2, 4], [1, 3, 0]], np.int32), known)
