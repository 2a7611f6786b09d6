"""What is fuzzed of topic models: requests and channels of counts, both ways, and the files that come with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from sagedock.contracts.channels import Channel
from sagedock.errors import ModelError, UserError
from sagedock.formats import csv, instances, records
from sagedock.formats.media_types import parse_media_type
from sagedock.formats.table import Table
from sagedock.topics import channel, embeddings, requests
from sagedock.topics.documents import MOST, Documents
from sagedock.topics.preparation import Preparation
from sagedock.topics.vocabulary import Vocabulary
from tests.without_core import without_core

COLUMNS = 5
_KNOWN = Vocabulary(("apple", "orbit", "pear", "rocket", "engine"), Preparation())


def _counts(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).poisson(0.7, (rows, COLUMNS)).astype(np.float32)


def _outcome(read: Callable[[], Documents]) -> tuple[str, bytes]:
    """What reading says, or the very bits of what it reads, which are documents."""
    try:
        found = read()
    except UserError as error:
        return str(error), b""
    assert found.starts[0] == 0
    assert found.starts[-1] == len(found.words) == len(found.counts)
    for row in range(found.rows):
        words = found.part(row, row + 1).words
        assert (np.diff(words) > 0).all()
    assert not len(found.words) or (found.words.min() >= 0 and found.words.max() < COLUMNS)
    assert ((found.counts > 0) & (found.counts <= 3 * MOST) & (found.counts == np.floor(found.counts))).all()
    return str(found.rows), found.starts.tobytes() + found.words.tobytes() + found.counts.tobytes()


def _same(read: Callable[[], Documents]) -> None:
    compiled = _outcome(read)
    with without_core():
        plain = _outcome(read)
    assert compiled == plain, (compiled[0], plain[0])


def request(content_type: str) -> Callable[[bytes], object]:
    """The compiled core and Python read the same, or say the same."""
    media_type = parse_media_type(content_type)
    return lambda body: _same(lambda: requests.read(body, media_type, COLUMNS, _KNOWN).documents)


def training(content_type: str, scratch: Callable[[], Path]) -> Callable[[bytes], object]:
    """The same of a channel of one file."""

    def run(content: bytes) -> None:
        folder = scratch() / "train"
        folder.mkdir(exist_ok=True)
        (folder / "part").write_bytes(content)
        _same(lambda: channel.read(Channel("train", folder, content_type), COLUMNS))

    return run


def read_embeddings(scratch: Callable[[], Path]) -> Callable[[bytes], object]:
    """Whatever is read is a vector of finite numbers for each word."""

    def run(content: bytes) -> None:
        file = scratch() / "vectors"
        file.write_bytes(content)
        found = embeddings.read(file, _KNOWN.words)
        assert len(found.vectors) == len(_KNOWN.words)
        assert np.isfinite(found.vectors).all()

    return run


def read_vocabulary(content: bytes) -> None:
    """What a model carries."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return
    try:
        Vocabulary.from_json(document).documents(["an apple"])
    except ModelError:
        return


_TABLES = [Table(_counts(rows)) for rows in (1, 6)]
_SPARSE = [Table(csr_matrix(_counts(rows))) for rows in (2, 7)]
CSV_SEEDS = (*map(csv.encode, _TABLES), b"1,0,0,0,0,\n", b"0,0,0,0,12\r\n1,2,0,0,0\r\n\n", b"1; 0;2;0;1\n")
JSON_SEEDS = (
    *(instances.encode(table, lined=False) for table in (*_TABLES, *_SPARSE)),
    b'{"instances": [{"text": "apple and pear"}, {"features": [1, 0, 0, 0, 2]}], "verbose": true}',
    b'{"instances":[{"data":{"features":{"values":[1,2],"keys":[4,0],"shape":[5]}}},{"features":{"values":[0,0,1,0,0]}}]}',
)
LINES_SEEDS = (
    *(instances.encode(table, lined=True) for table in (*_TABLES, *_SPARSE)),
    b'{"text": "apple", "verbose": false}\n[0,0,0,0,1]\n',
)
RECORDIO_SEEDS = tuple(map(records.encode, (*_TABLES, *_SPARSE)))
TEXT_SEEDS = (b"An apple, a pear\nand an \xc3\xa4 engine\n",)
EMBEDDING_SEEDS = (
    b"apple 1 2\npear 0.5 -1\n",
    b"2 2\napple 1 2\npear 0.5 -1\n",
    b"1 2\napple \0\0\x80\x3f\0\0\0\x40\n",
)
VOCABULARY_SEEDS = (json.dumps(_KNOWN.json()).encode(),)
