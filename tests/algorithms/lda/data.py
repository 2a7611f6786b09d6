"""Documents of known topics: Griffiths' and Steyvers' bars, and texts of a few words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.formats import records
from sagedock.formats.table import Table
from sagedock.topics.documents import Documents

SIDE = 5
WORDS = SIDE * SIDE
TOPICS = 2 * SIDE

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Bars:
    """Documents whose words are the cells of a square, and whose topics are its rows and columns."""

    counts: Floats
    mixtures: NDArray[np.float64]

    @property
    def documents(self) -> Documents:
        return Documents.of_dense(self.counts)

    def likelihood(self) -> float:
        """Log-likelihood a word, under the true topics and the true mixtures."""
        words = self.mixtures @ bar_topics()
        return float((self.counts * np.log(np.where(self.counts > 0, words, 1))).sum() / self.counts.sum())


def bar_topics() -> NDArray[np.float64]:
    """(TOPICS, WORDS): each word of a bar is as likely as the others."""
    found = np.zeros((TOPICS, SIDE, SIDE))
    for place in range(SIDE):
        found[place, place] = found[SIDE + place, :, place] = 1 / SIDE
    return found.reshape(TOPICS, WORDS)


def bars(documents: int, seed: int = 0, length: float = 150, alpha0: float = 1.0) -> Bars:
    """Documents of about `length` words each."""
    chance = np.random.default_rng(seed)
    mixtures = chance.dirichlet(np.full(TOPICS, alpha0 / TOPICS), documents)
    lengths = chance.poisson(length, documents)
    words = mixtures @ bar_topics()
    counts = [chance.multinomial(size, row / row.sum()) for size, row in zip(lengths, words, strict=True)]
    return Bars(np.array(counts, np.float32), mixtures)


def topic_error(beta: Floats) -> float:
    """The mean L1 distance of topics from the bars that they stand for, each for another one."""
    from scipy.optimize import linear_sum_assignment

    apart = np.abs(beta[:, None] - bar_topics()[None]).sum(axis=2)
    found, true = linear_sum_assignment(apart)
    return float(apart[found, true].mean())


def csv(counts: Floats) -> str:
    """Lines of counts."""
    return "".join(",".join(f"{count:g}" for count in row) + "\n" for row in counts)


def recordio(counts: Floats) -> bytes:
    """Dense records."""
    return records.encode(Table(counts))


ANIMALS = ("tiger", "zebra", "lemur", "otter", "camel", "panda")
TOOLS = ("hammer", "chisel", "pliers", "wrench", "drill", "saw")


def texts(lines: int, seed: int = 0) -> list[str]:
    """Lines about animals or about tools, ten words each."""
    chance = np.random.default_rng(seed)
    return [" ".join(chance.choice(ANIMALS if line % 2 else TOOLS, 10)) for line in range(lines)]


def sparse_recordio(counts: Floats) -> bytes:
    """Sparse records."""
    from scipy.sparse import csr_array

    return records.encode(Table(csr_array(counts)))
