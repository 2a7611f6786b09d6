"""What the samples of topic models share: texts of three topics, and requests for the same records in each type."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_matrix

from sagedock.formats import csv, instances, records
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, PLAIN_TEXT, RECORDIO
from sagedock.formats.table import Table

TOPICS = (
    ("apple", "cherry", "plum", "pear"),
    ("orbit", "rocket", "planet", "comet"),
    ("goal", "match", "league", "coach"),
)
"""Words that prepared texts keep as they are."""
WORDS = 12
HYPERPARAMETERS: Mapping[str, str] = {
    "feature_dim": str(WORDS),
    "num_topics": "3",
    "_stemming": "none",
    "_min_document_length": "1",
    "_max_df": "1.0",
}


def texts(rows: int, seed: int = 0) -> list[str]:
    """Documents of twelve words, ten of them of one topic; of many documents each word is in some."""
    chance = np.random.default_rng(seed)
    found = []
    for row in range(rows):
        words = [*chance.choice(TOPICS[row % 3], 10), *chance.choice([word for topic in TOPICS for word in topic], 2)]
        found.append(" ".join(chance.permutation(words).tolist()))
    return found


def lines(rows: int, seed: int = 0) -> str:
    """The same, a document a line."""
    return "\n".join(texts(rows, seed)) + "\n"


def requests(rows: int) -> dict[str, bytes]:
    """The same records in each type; words by number are those of the model of `lines(90)`, by descending frequency."""
    counts: dict[str, int] = {}
    for word in lines(90).split():
        counts[word] = counts.get(word, 0) + 1
    ids = {word: number for number, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word)))}
    asked = texts(rows, seed=5)
    matrix = np.zeros((rows, WORDS), np.float32)
    for row, text in enumerate(asked):
        np.add.at(matrix[row], [ids[word] for word in text.split()], 1)
    return {
        CSV: csv.encode(Table(matrix)),
        JSON: json.dumps({"instances": [{"text": text} for text in asked]}).encode(),
        JSON_LINES: instances.encode(Table(csr_matrix(matrix)), lined=True),
        RECORDIO: records.encode(Table(matrix)),
        PLAIN_TEXT: "\n".join(asked).encode(),
    }


BAD_CHANNEL: Mapping[str, bytes] = {"part-0.txt": b"apple pear\n\xff\xfe plum\n"}
MALFORMED: Mapping[str, bytes] = {
    CSV: b"1,2,three\n",
    JSON: b'{"instances": [',
    JSON_LINES: b"{]\n",
    RECORDIO: b"\x0a\x23\xd7\xce\xff\xff\xff\x7f",
}
