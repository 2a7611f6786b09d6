"""What is told of topics: the block of the log, and topics.json."""

import json

import numpy as np
import pytest

from sagedock.topics.documents import Documents
from sagedock.topics.preparation import Preparation
from sagedock.topics.summary import Summary
from sagedock.topics.vocabulary import Vocabulary

WIDTH = 30
DOCUMENTS = Documents.of_dense(np.random.default_rng(0).poisson(0.5, (50, WIDTH)).astype(np.float32))


def probabilities() -> np.ndarray:
    """Of two topics: the words from 0 on, and those from 29 down, ten of which are among both top twenty."""
    falling = np.linspace(1, 0.1, WIDTH, dtype=np.float32)
    falling /= falling.sum()
    return np.stack([falling, falling[::-1]])


def known() -> Vocabulary:
    return Vocabulary([f"word{number}" for number in range(WIDTH)], Preparation())


def test_without_a_vocabulary_the_log_has_indices_and_no_wetc():
    """ntm_lda N15, N16."""
    head, *lines = Summary.of(probabilities(), DOCUMENTS, None, None).log_lines()
    assert head == "Topics from epoch:final (num_topics:2) [, tu 0.75]:"
    assert lines == [" ".join(map(str, range(20))), " ".join(map(str, range(29, 9, -1)))]


def test_with_a_vocabulary_and_vectors_the_log_has_words_and_scores():
    """ntm_lda N16."""
    vectors = np.tile(np.array([[1, 2]], np.float32), (WIDTH, 1))
    head, *lines = Summary.of(probabilities(), DOCUMENTS, known(), vectors).log_lines()
    assert head == "Topics from epoch:final (num_topics:2) [wetc 1.00, tu 0.75]:"
    assert lines[0] == "[1.00, 0.75] " + " ".join(f"word{number}" for number in range(20))
    assert len(lines) == 2


def test_without_vectors_only_uniqueness_is_told():
    head, first, _ = Summary.of(probabilities(), DOCUMENTS, known(), None).log_lines()
    assert head == "Topics from epoch:final (num_topics:2) [, tu 0.75]:"
    assert first.startswith("[, 0.75] word0 word1 ")


def test_topics_json_has_words_probabilities_and_scores(tmp_path):
    summary = Summary.of(probabilities(), DOCUMENTS, known(), None)
    assert summary.write(tmp_path) == "topics.json"
    found = json.loads((tmp_path / "topics.json").read_text())
    assert found["uniqueness"] == pytest.approx(0.75)
    assert found["npmi"] == pytest.approx(summary.npmi.mean())
    assert "wetc" not in found
    first = found["topics"][0]
    assert (first["topic"], first["uniqueness"]) == (0, 0.75)
    assert first["npmi"] == summary.npmi[0]
    assert [word["word"] for word in first["words"]] == [f"word{number}" for number in range(20)]
    assert first["words"][3]["probability"] == pytest.approx(probabilities()[0, 3])


def test_topics_json_has_indices_where_there_is_no_vocabulary():
    first = Summary.of(probabilities(), DOCUMENTS, None, None).json()["topics"][1]
    assert first["words"][0] == {"index": 29, "probability": pytest.approx(probabilities()[1, 29])}


def test_fewer_words_than_are_printed_are_all_told():
    few = Summary.of(probabilities()[:, :4], Documents.of_dense(np.ones((3, 4), np.float32)), None, None)
    assert few.log_lines()[1] == "0 1 2 3"
