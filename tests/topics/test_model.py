"""What topic models have in common: answers in every type, words on demand, and the way of one call."""

import io
import json

import numpy as np
import pytest

from sagedock import core
from sagedock.errors import NotAcceptable
from sagedock.formats import instances, recordio, records, responses
from sagedock.formats.csv import encode
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, PLAIN_TEXT, RECORDIO, MediaType
from sagedock.formats.record_pb2 import Record
from sagedock.formats.table import Table
from tests.topics.models import WORDS, shares, vocabulary

MATRIX = np.array([[2, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0]], np.float32)
EXPECTED = [[0.8, 0.2], [0.5, 0.5], [0.25, 0.75]]


def bodies() -> dict[str, bytes]:
    table = Table(MATRIX)
    return {
        CSV: encode(table),
        JSON: instances.encode(table, lined=False),
        JSON_LINES: instances.encode(table, lined=True),
        RECORDIO: records.encode(table),
    }


def answered(model, body: bytes, kind: str, wanted: str) -> bytes:
    return responses.encode(model.predict(model.read(body, MediaType(kind))), wanted)


@pytest.mark.parametrize("kind", [CSV, JSON, JSON_LINES, RECORDIO])
def test_answers_have_the_shapes_of_the_built_in(kind):
    """ntm_lda N6."""
    model, body = shares(), bodies()[kind]
    answer = json.loads(answered(model, body, kind, JSON))
    assert list(answer) == ["predictions"]
    assert [list(one) for one in answer["predictions"]] == [["topic_weights"]] * 3
    assert np.allclose([one["topic_weights"] for one in answer["predictions"]], EXPECTED)
    lines = answered(model, body, kind, JSON_LINES)
    assert lines.endswith(b"}\n")
    assert [json.loads(line) for line in lines.splitlines()] == answer["predictions"]
    rows = answered(model, body, kind, CSV).decode().splitlines()
    assert np.allclose([[float(cell) for cell in row.split(",")] for row in rows], EXPECTED)
    frames = list(recordio.read(io.BytesIO(answered(model, body, kind, RECORDIO)), "the answer"))
    labels = [Record.FromString(frame.payload).label["topic_weights"].float32_tensor.values for frame in frames]
    assert np.allclose(labels, EXPECTED)


@pytest.mark.skipif(core.native is None, reason="the way of one call is the compiled core's")
@pytest.mark.parametrize("wanted", [CSV, JSON, JSON_LINES])
@pytest.mark.parametrize("kind", [CSV, JSON, JSON_LINES, RECORDIO])
def test_the_way_of_one_call_gives_the_same_bytes(kind, wanted):
    model, body = shares(), bodies()[kind]
    way = model.direct(kind, wanted)
    assert way(body) == answered(model, body, kind, wanted)
    assert model.direct(kind, wanted) is way
    assert way(b"?") is None
    assert model.direct(PLAIN_TEXT, wanted) is None
    assert model.direct(kind, RECORDIO) is None


def test_verbose_names_the_words_of_each_topic_the_weightiest_first():
    model = shares(vocabulary())
    body = b'{"instances":[{"text":"apple pear engine"},{"features":[0,1,0,1,0]}],"verbose":true}'
    first, second = json.loads(answered(model, body, JSON, JSON))["predictions"]
    assert first["topic_weights"] == pytest.approx([0.8, 0.2])
    assert [topic["topic"] for topic in first["topics"]] == [0, 1]
    assert [topic["weight"] for topic in first["topics"]] == first["topic_weights"]
    assert first["topics"][0]["words"] == [WORDS[0], WORDS[2], WORDS[4]]
    assert [topic["topic"] for topic in second["topics"]] == [1, 0]
    assert second["topics"][0]["words"] == [WORDS[1], WORDS[3], WORDS[0]]


def test_verbose_without_a_vocabulary_gives_indices_and_in_lines_only_where_asked():
    body = b'{"features":[0,1,0,1,0]}\n{"features":[0,1,0,1,0],"verbose":true}\n'
    first, second = map(json.loads, answered(shares(), body, JSON_LINES, JSON_LINES).splitlines())
    assert "topics" not in first
    assert second["topics"][0] == {"topic": 1, "weight": 0.75, "words": [1, 3, 0]}


def test_words_are_not_written_where_there_is_no_room_for_them():
    model = shares()
    with pytest.raises(NotAcceptable):
        answered(model, b'{"instances":[[0,1,0,1,0]],"verbose":true}', JSON, CSV)


def test_a_batch_answers_as_its_documents_do_alone():
    model = shares()
    alone = [answered(model, encode(Table(MATRIX[row : row + 1])), CSV, JSON_LINES) for row in range(3)]
    assert b"".join(alone) == answered(model, bodies()[CSV], CSV, JSON_LINES)


def test_the_example_is_answered():
    model = shares(words=7)
    body, kind = model.example()
    assert answered(model, body, kind, JSON_LINES)
