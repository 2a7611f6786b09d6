"""Both topic algorithms answer the same requests in the same shapes, as the built-in's documents and notebooks show."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from sagedock import algorithms
from sagedock.algorithm import Algorithm
from sagedock.contracts import manifest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import UserError
from sagedock.formats import instances, recordio, records
from sagedock.formats.csv import encode
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, PLAIN_TEXT, RECORDIO
from sagedock.formats.record_pb2 import Record
from sagedock.formats.table import RecordIdentity, Table
from sagedock.serving.invocations import invoke
from sagedock.topics.model import TopicModel
from tests.topics.jobs import ALGORITHMS, KEYS, TOPICS, VOCABULARY, counts, made, with_vocabulary
from tests.without_core import without_core

ROWS = 7
MATRIX = counts(ROWS, seed=9)
MATRIX[3] = 0
TEXTS = [
    " ".join(word for word, count in zip(VOCABULARY, row, strict=True) for _ in range(int(count))) for row in MATRIX
]


@dataclass(frozen=True)
class Served:
    """A model as it is served."""

    algorithm: Algorithm
    directory: Path

    @property
    def key(self) -> str:
        return KEYS[self.algorithm.name]

    def load(self) -> TopicModel:
        found = self.algorithm.load(self.directory, manifest.read(self.directory), InferenceOptions())
        assert isinstance(found, TopicModel)
        return found

    def ask(self, model: TopicModel, body: bytes, kind: str, accept: str = JSON) -> bytes:
        answer = invoke(model, self.algorithm, body, kind, accept)
        assert answer.status == 200
        assert answer.content_type == accept
        return answer.body

    def mixtures(self, model: TopicModel, body: bytes, kind: str) -> np.ndarray:
        predictions = json.loads(self.ask(model, body, kind))["predictions"]
        assert all(list(one) == [self.key] for one in predictions)
        return np.array([one[self.key] for one in predictions])


@pytest.fixture(scope="module", params=ALGORITHMS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A model with a vocabulary."""
    job = with_vocabulary(made(request.param, tmp_path_factory.mktemp(request.param)))
    assert job.run() == 0, job.failure
    return Served(algorithms.find(request.param), job.model)


def bodies() -> dict[str, tuple[str, bytes]]:
    dense, sparse = Table(MATRIX), Table(csr_matrix(MATRIX))
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    return {
        "csv": (CSV, encode(dense)),
        "json dense": (JSON, instances.encode(dense, lined=False)),
        "json sparse": (JSON, instances.encode(sparse, lined=False)),
        "jsonlines dense": (JSON_LINES, instances.encode(dense, lined=True)),
        "jsonlines sparse": (JSON_LINES, instances.encode(sparse, lined=True)),
        "recordio dense": (RECORDIO, records.encode(dense)),
        "recordio sparse": (RECORDIO, records.encode(sparse)),
        "json text": (JSON, json.dumps({"instances": [{"text": text} for text in TEXTS]}).encode()),
        "jsonlines text": (JSON_LINES, lines.encode()),
        "text": (PLAIN_TEXT, "\n".join([*TEXTS]).encode()),
    }


def test_every_type_of_request_gets_the_same_mixtures(served: Served) -> None:
    """ntm_lda N4 to N6, L3: shares from 0 on that add up to 1, sparse as dense, in order."""
    model = served.load()
    expected = served.mixtures(model, *reversed(bodies()["csv"]))
    assert expected.shape == (ROWS, TOPICS)
    assert (expected >= 0).all()
    assert expected.sum(axis=1) == pytest.approx(np.ones(ROWS), abs=1e-6)
    assert len(np.unique(expected.round(5), axis=0)) > TOPICS - 1
    for name, (kind, body) in bodies().items():
        assert np.array_equal(served.mixtures(model, body, kind), expected), name


def test_every_type_of_answer_holds_the_same_mixtures(served: Served) -> None:
    """ntm_lda N6: JSON Lines, recordio, CSV."""
    model, (kind, body) = served.load(), bodies()["json sparse"]
    expected = served.mixtures(model, body, kind)
    lines = served.ask(model, body, kind, JSON_LINES).splitlines()
    assert [json.loads(line) for line in lines] == [{served.key: row.tolist()} for row in expected]
    rows = served.ask(model, body, kind, CSV).decode().splitlines()
    assert [[float(cell) for cell in row.split(",")] for row in rows] == expected.tolist()
    frames = recordio.read(io.BytesIO(served.ask(model, body, kind, RECORDIO)), "the answer")
    labels = [Record.FromString(frame.payload).label[served.key].float32_tensor.values for frame in frames]
    assert np.array_equal(np.array(labels), expected)


def test_the_same_request_gets_the_same_bytes_with_the_core_and_without(served: Served) -> None:
    """ntm_lda N5, L3."""
    for kind, body in bodies().values():
        first = served.ask(served.load(), body, kind)
        with without_core():
            assert served.ask(served.load(), body, kind) == first
        assert served.ask(served.load(), body, kind) == first


def test_a_batch_answers_as_its_documents_do_alone(served: Served) -> None:
    model = served.load()
    together = served.ask(model, bodies()["csv"][1], CSV, JSON_LINES).splitlines()
    alone = [served.ask(model, encode(Table(MATRIX[row : row + 1])), CSV, JSON_LINES) for row in range(ROWS)]
    assert [line.strip() for line in alone] == together


def test_records_are_told_apart_by_their_identities(served: Served) -> None:
    """recordio 8.14."""
    identities = [RecordIdentity(f"u{row}", None) for row in range(ROWS)]
    body = records.encode(Table(MATRIX, identities=identities))
    answer = served.ask(served.load(), body, RECORDIO, RECORDIO)
    found = [Record.FromString(frame.payload).uid for frame in recordio.read(io.BytesIO(answer), "the answer")]
    assert found == [one.uid for one in identities]


def test_verbose_names_the_words_of_the_weightiest_topic_first(served: Served) -> None:
    body = json.dumps({"instances": [{"text": "orbit rocket planet comet rocket"}], "verbose": True}).encode()
    (answer,) = json.loads(served.ask(served.load(), body, JSON))["predictions"]
    topics = answer["topics"]
    assert [topic["weight"] for topic in topics] == sorted(answer[served.key], reverse=True)
    assert all(set(topic["words"]) <= set(VOCABULARY) and len(topic["words"]) == 10 for topic in topics)


def test_topics_json_has_the_words(served: Served) -> None:
    """Requirement 51."""
    found = json.loads((served.directory / "topics.json").read_text())
    assert len(found["topics"]) == TOPICS
    assert {word["word"] for word in found["topics"][0]["words"]} <= set(VOCABULARY)
    assert 1 / TOPICS <= found["uniqueness"] <= 1


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (CSV, b"0,-1" + b",0" * 10, "row 1, column 2: the count is -1"),
        (CSV, b"0,0.5" + b",0" * 10, "row 1, column 2: the count is 0.5"),
        (CSV, b"0,1", "expected 12 columns"),
        (JSON_LINES, b'{"data":{"features":{"keys":[12],"shape":[13],"values":[1]}}}', "the index 12 is not below"),
        (JSON, b'{"instances":[]}', "instances is empty"),
    ],
)
def test_bad_requests_are_refused_with_their_row(served: Served, kind: str, body: bytes, told: str) -> None:
    """ntm_lda N22."""
    with pytest.raises(UserError, match=told.replace(".", r"\.")):
        served.ask(served.load(), body, kind)
