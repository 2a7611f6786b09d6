"""The report of a topic model: planted topics with their words, sizes, places and documents."""

import json
import math

import numpy as np
import pytest

from sagedock.figures import Grid, LineChart, MapChart, RankingChart
from sagedock.topics import report
from sagedock.topics.data import Data
from sagedock.topics.documents import Documents
from sagedock.topics.excerpts import Excerpts
from sagedock.topics.preparation import Preparation
from sagedock.topics.summary import Summary
from sagedock.topics.vocabulary import Vocabulary

TOPICS, WORDS = 4, 80
SHARES = np.array([0.1, 0.5, 0.25, 0.15])


@pytest.fixture(scope="module")
def planted():
    """Documents of one topic each, of which topic k has the words 20 k to 20 k + 19; and the topics."""
    rng = np.random.default_rng(1)
    owner = rng.choice(TOPICS, 600, p=SHARES)
    matrix = np.zeros((600, WORDS), np.float32)
    for row, topic in enumerate(owner):
        np.add.at(matrix[row], 20 * topic + rng.integers(0, 20, 30), 1)
    matrix[5] = 0
    topics = np.full((TOPICS, WORDS), 1e-4)
    for topic in range(TOPICS):
        topics[topic, 20 * topic : 20 * topic + 20] += np.linspace(0.07, 0.03, 20)
    return Documents.of_dense(matrix), topics / topics.sum(axis=1, keepdims=True)


def mixtures(documents):
    sums = documents.dense().reshape(documents.rows, TOPICS, 20).sum(axis=2) + 0.1
    return (sums / sums.sum(axis=1, keepdims=True)).astype(np.float32)


def found(planted, texts=None, vocabulary=None):
    documents, topics = planted
    excerpts = None if texts is None else Excerpts(np.arange(0, 600, 3), texts[::3])
    data = Data(documents, None, None, vocabulary, excerpts)
    return report.found(Summary.of(topics, documents, vocabulary, None), topics, data, mixtures)


def test_topics_come_by_size_with_words_and_documents(planted):
    vocabulary = Vocabulary([f"w{n}" for n in range(WORDS)], Preparation())
    metrics = json.loads(json.dumps(found(planted, [f"text {n}" for n in range(600)], vocabulary)))
    assert [topic["topic"] for topic in metrics["topics"]] == [1, 2, 3, 0]
    assert [topic["size"] for topic in metrics["topics"]] == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=0.06)
    assert metrics["topics"][0]["words"] == [f"w{n}" for n in range(20, 30)]
    dense = planted[0].dense()
    for topic in metrics["topics"]:
        assert len(topic["documents"]) == report.TYPICAL
        for one in topic["documents"]:
            row = one["row"] - 1
            assert row % 3 == 0
            assert one["text"] == f"text {row}"
            assert dense[row].reshape(TOPICS, 20).sum(axis=1).argmax() == topic["topic"]


def test_without_text_a_document_is_told_by_its_words(planted):
    (first, *_) = found(planted)["topics"]
    words = [int(word) for word in first["documents"][0]["text"].split(", ")]
    counts = planted[0].dense()[first["documents"][0]["row"] - 1]
    assert [counts[word] for word in words] == sorted(counts, reverse=True)[:10]


def test_equal_texts_are_told_once(planted):
    for topic in found(planted, ["the same text"] * 600)["topics"]:
        assert len(topic["documents"]) == 1


def test_the_figures_show_all_of_it(planted):
    metrics = found(planted)
    shown = report.figures(metrics, [("Documents", "600")], report.losses([7.0, 6.5, 6.4], [7.1, 6.6, 6.7], 2), [])
    kinds = {type(figure): figure for figure in shown}
    assert [ranking.title for ranking in kinds[RankingChart].rankings] == ["Topic 1", "Topic 2", "Topic 3", "Topic 0"]
    (points,) = kinds[MapChart].groups
    assert list(points.sizes) == sorted(points.sizes, reverse=True)
    assert points.labels[0] == "1 20 21"
    table, typical = [figure for figure in shown if isinstance(figure, Grid)]
    assert len(table.rows) == TOPICS
    assert len(typical.rows) == TOPICS * report.TYPICAL
    curve = kinds[LineChart]
    assert [line.name for line in curve.lines] == ["train", "validation"]
    assert (curve.marks[0].x, curve.marks[0].y) == (2.0, 6.6)


def test_of_many_topics_the_largest_are_shown():
    rng = np.random.default_rng(2)
    documents = Documents.of_dense(rng.poisson(0.3, (90, 40)).astype(np.float32))
    topics = rng.dirichlet(np.ones(40), 90)

    def spread(some):
        return np.tile(np.arange(1, 91, dtype=np.float32) / 4095, (some.rows, 1))

    metrics = report.found(Summary.of(topics, documents, None, None), topics, Data(documents, None, None, None), spread)
    assert [topic["topic"] for topic in metrics["topics"]] == list(range(89, 89 - report.SHOWN, -1))
    ranking = next(f for f in report.figures(metrics, [], [], []) if isinstance(f, RankingChart))
    assert "30 smaller topics are in topics.json" in ranking.caption


def test_two_topics_have_no_map_and_one_epoch_no_curve():
    documents = Documents.of_dense(np.eye(4, dtype=np.float32))
    topics = np.array([[0.4, 0.4, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4]])

    def halves(some):
        return np.full((some.rows, 2), 0.5, np.float32)

    data = Data(documents, None, None, None)
    metrics = report.found(Summary.of(topics, documents, None, None), topics, data, halves)
    curves = [*report.losses([7.0], [], None), *report.likelihood([10], [-7.0])]
    assert curves == []
    assert not [figure for figure in report.figures(metrics, [], curves, []) if isinstance(figure, MapChart)]


def test_the_log_likelihood_by_pass():
    (curve,) = report.likelihood([10.0, 20.0], [-8.0, -7.5])
    assert (list(curve.lines[0].x), list(curve.lines[0].y)) == ([10.0, 20.0], [-8.0, -7.5])


def test_losses_of_a_bad_start_do_not_flatten_the_curve():
    (curve,) = report.losses([5000.0, 7.5, 7.0, 6.9], [7.6, 7.1, 900.0, 6.8], 4)
    train, validation = ([value for value in line.y if math.isfinite(value)] for line in curve.lines)
    assert (train, validation) == ([7.5, 7.0, 6.9], [7.6, 7.1, 6.8])
    assert "2 losses above" in curve.caption
    assert (curve.marks[0].x, curve.marks[0].y) == (4.0, 6.8)
