"""Small training jobs of the algorithm."""

from __future__ import annotations

from pathlib import Path

from sagedock.formats.csv import encode
from sagedock.formats.records import encode as encode_records
from sagedock.formats.table import Table
from sagedock.topics.documents import Documents
from tests.algorithms.ntm import documents
from tests.platform import Job

TOPICS = 5
TRAIN = documents.some(TOPICS, documents=300)
VALIDATION = documents.some(TOPICS, documents=100, seed=1)
CSV, RECORDIO = "text/csv", "application/x-recordio-protobuf"
ASKED = {
    "sagedock_algorithm": "ntm",
    "feature_dim": str(TRAIN.vocabulary_size),
    "num_topics": str(TOPICS),
    "mini_batch_size": "32",
    "epochs": "4",
}


def csv(found: Documents) -> bytes:
    return encode(Table(found.dense()))


def recordio(found: Documents) -> bytes:
    return encode_records(Table(found.dense()))


def job(base: Path, *, validation: Documents | None = None, train: Documents = TRAIN, **given: str) -> Job:
    """A job on these documents."""
    made = Job(base, {**ASKED, **given})
    made.add_channel("train", {"documents.csv": csv(train)}, ContentType=CSV)
    if validation is not None:
        made.add_channel("validation", {"documents.csv": csv(validation)}, ContentType=CSV)
    return made
