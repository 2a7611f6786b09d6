"""Small jobs of the topic algorithms, which read the same channels and answer the same requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sagedock import algorithms
from sagedock.formats.csv import encode
from sagedock.formats.table import Table
from tests.platform import Job

CSV, RECORDIO = "text/csv", "application/x-recordio-protobuf"
KEYS = {"lda": "topic_mixture", "ntm": "topic_weights"}
ALGORITHMS = [name for name in KEYS if name in algorithms.names()]
WORDS, TOPICS = 12, 3
VOCABULARY = (
    "apple",
    "cherry",
    "plum",
    "pear",
    "orbit",
    "rocket",
    "planet",
    "comet",
    "goal",
    "match",
    "league",
    "coach",
)
_QUICK = {
    "lda": {"mini_batch_size": "60", "_sweeps": "20", "_chains": "1"},
    "ntm": {"epochs": "4", "mini_batch_size": "20"},
}


def counts(rows: int = 60, seed: int = 0) -> np.ndarray:
    """Documents of a dozen words, most of them of one topic: words 0 to 3, 4 to 7, or 8 to 11."""
    chance = np.random.default_rng(seed)
    shares = np.full((rows, WORDS), 0.2)
    for row in range(rows):
        shares[row, row % TOPICS * 4 : row % TOPICS * 4 + 4] = 3
    return chance.poisson(shares).astype(np.float32)


def made(algorithm: str, base: Path, train: bytes | None = None, kind: str = CSV, **given: str) -> Job:
    """A job that learns three topics of `counts`, or of what `train` holds."""
    asked = {"feature_dim": str(WORDS), "num_topics": str(TOPICS), "sagedock_algorithm": algorithm}
    job = Job(base, {**asked, **_QUICK[algorithm], **given})
    content = encode(Table(counts())) if train is None else train
    job.add_channel("train", {"documents": content}, ContentType=kind)
    return job


def with_vocabulary(job: Job, words: tuple[str, ...] = VOCABULARY) -> Job:
    """The same with vocab.txt."""
    job.add_channel("auxiliary", {"vocab.txt": "\n".join(words) + "\n"}, ContentType="text/plain")
    return job
