"""Bad input of both topic algorithms: what is wrong, where it stands, and what to do (issue 6, bad input)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sagedock.formats import recordio
from sagedock.formats.csv import encode
from sagedock.formats.record_pb2 import Record
from sagedock.formats.table import Table
from tests.platform import Job
from tests.topics.jobs import ALGORITHMS, CSV, RECORDIO, TOPICS, VOCABULARY, WORDS, counts, made, with_vocabulary

pytestmark = pytest.mark.parametrize("algorithm", ALGORITHMS)
GOOD = encode(Table(counts()))


def failure(job: Job) -> str:
    assert job.run() == 1
    assert list(job.model.iterdir()) == []
    assert job.failure.startswith("UserError: ")
    return job.failure


def row(**changed: str) -> bytes:
    """A line of zeros but for the columns c1, c2 and so on that are given."""
    return ",".join(changed.get(f"c{column}", "0") for column in range(1, WORDS + 1)).encode() + b"\n"


def record(keys: list[int], shape: int) -> bytes:
    made_up = Record()
    tensor = made_up.features["values"].float32_tensor
    tensor.keys.extend(keys)
    tensor.values.extend([1.0] * len(keys))
    tensor.shape.append(shape)
    return recordio.frame(made_up.SerializeToString())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (row(c3="-1"), "documents, line 61, column 3: the count is -1, below 0"),
        (row(c3="0.25"), "documents, line 61, column 3: the count is 0.25, a fraction"),
        (row(c3="nan"), "documents, line 61, column 3: the count is missing"),
        (row(c3="inf"), "documents, line 61, column 3: 'inf' is infinite"),
        (row(c3="20000000"), "documents, line 61, column 3: the count is 20000000"),
        (row(c3="plum"), "documents, line 61, column 3: 'plum' is not a number"),
        (row()[2:], "documents, line 61: expected 12 columns as in the lines before, got 11"),
    ],
)
def test_what_is_no_count_is_named_by_file_and_line(tmp_path: Path, algorithm: str, line: bytes, told: str) -> None:
    assert told in failure(made(algorithm, tmp_path, GOOD + line))


def test_an_index_that_is_no_word_is_named_with_feature_dim(tmp_path: Path, algorithm: str) -> None:
    """ntm_lda N22."""
    train = record([0, 3], WORDS) * 10 + record([2, 12], 13)
    told = failure(made(algorithm, tmp_path, train, RECORDIO))
    assert "documents, record 11 at byte " in told
    assert "the index 12 is not below feature_dim, which is 12" in told


def test_another_width_is_named_with_feature_dim(tmp_path: Path, algorithm: str) -> None:
    told = failure(made(algorithm, tmp_path, encode(Table(np.ones((20, 13), np.float32)))))
    assert "expected 12 feature columns, got 13" in told


def test_a_vocabulary_of_another_length_is_named_with_feature_dim(tmp_path: Path, algorithm: str) -> None:
    told = failure(with_vocabulary(made(algorithm, tmp_path), VOCABULARY[:-1]))
    assert "vocab.txt has 11 lines, and feature_dim is 12" in told


def test_more_topics_than_documents_are_refused_with_both(tmp_path: Path, algorithm: str) -> None:
    told = failure(made(algorithm, tmp_path, encode(Table(counts(TOPICS - 1)))))
    assert "num_topics is 3, and the train channel holds 2 documents" in told


def test_documents_none_of_which_has_a_word_are_refused(tmp_path: Path, algorithm: str) -> None:
    assert "has a word" in failure(made(algorithm, tmp_path, row() * 30))


def test_some_empty_documents_are_learnt_from(tmp_path: Path, algorithm: str) -> None:
    """ntm_lda N21, L10."""
    matrix = counts()
    matrix[::5] = 0
    matrix[1::5] = np.eye(WORDS)[2]
    job = made(algorithm, tmp_path, encode(Table(matrix)), CSV)
    assert job.run() == 0, job.failure


def test_word_vectors_that_cannot_be_read_end_the_job_before_it_trains(
    tmp_path: Path, algorithm: str, capfd: pytest.CaptureFixture[str]
) -> None:
    job = with_vocabulary(made(algorithm, tmp_path))
    job.environment = {"SAGEDOCK_EMBEDDINGS": str(tmp_path / "glove.txt")}
    assert "glove.txt, which cannot be read" in failure(job)
    assert "#progress_metric" not in capfd.readouterr().out


def test_a_test_channel_without_words_ends_lda_before_it_trains(
    tmp_path: Path, algorithm: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if algorithm != "lda":
        pytest.skip("ntm scores empty documents: they cost what their topics do")
    job = made(algorithm, tmp_path)
    job.add_channel("test", {"documents": row() * 3}, ContentType=CSV)
    assert "no document of the test channel has a word" in failure(job)
    assert "#progress_metric" not in capfd.readouterr().out
