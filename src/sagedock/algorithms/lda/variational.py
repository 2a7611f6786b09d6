"""Latent Dirichlet allocation by gensim's LdaModel: online variational Bayes (Hoffman, Blei and Bach, 2010)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sagedock.topics.documents import Documents

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BagOfWords:
    """Documents as gensim reads them: each a list of (word, count)."""

    documents: Documents

    def __len__(self) -> int:
        return self.documents.rows

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        starts = self.documents.starts
        for begin, end in pairwise(starts):
            words = self.documents.words[begin:end].tolist()
            counts = self.documents.counts[begin:end].astype(np.int64).tolist()
            yield list(zip(words, counts, strict=True))


def learn(documents: Documents, topics: int, alpha0: float, passes: int, seed: int) -> tuple[Floats, Floats]:
    """alpha (topics,) and beta (topics, V): gensim's defaults but for the prior alpha0 / topics of each topic."""
    from gensim.models import LdaModel  # takes a second

    model = LdaModel(
        corpus=BagOfWords(documents),
        id2word=dict.fromkeys(range(documents.vocabulary_size), ""),
        num_topics=topics,
        alpha=np.full(topics, alpha0 / topics, np.float32),
        passes=passes,
        random_state=seed % 2**32,
    )
    return model.alpha.astype(np.float32), model.get_topics().astype(np.float32)
