"""Documents from channels: every format and mode gives the same counts, and what is no count is refused by name."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from sagedock.contracts.channels import Channel
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import recordio, records
from sagedock.formats.csv import encode
from sagedock.formats.record_pb2 import Record
from sagedock.formats.table import Table
from sagedock.topics import channel as channels
from sagedock.topics.documents import MOST

CSV, RECORDIO = "text/csv", "application/x-recordio-protobuf"
WIDTH = 40


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    """Counts of three hundred documents, some of them empty."""
    counts = np.random.default_rng(3).poisson(0.2, (300, WIDTH)).astype(np.float32)
    counts[[0, 100, 299]] = 0
    return counts


def made(folder: Path, content: bytes | list[bytes], media_type: str | None, **facts: str) -> Channel:
    path = folder / "train"
    path.mkdir()
    for number, part in enumerate([content] if isinstance(content, bytes) else content):
        (path / f"part-{number}").write_bytes(part)
    return Channel("train", path, media_type, **facts)


def encoded(matrix: np.ndarray, kind: str) -> bytes:
    if kind == "csv":
        return encode(Table(matrix))
    return records.encode(Table(csr_matrix(matrix) if kind == "sparse" else matrix))


def sparse_record(keys, values, shape, kind="float32_tensor") -> bytes:
    record = Record()
    tensor = getattr(record.features["values"], kind)
    tensor.keys.extend(keys)
    tensor.values.extend(values)
    tensor.shape.extend(shape)
    return recordio.frame(record.SerializeToString())


@pytest.mark.parametrize("kind", ["csv", "dense", "sparse"])
def test_files_of_every_format_hold_the_same_documents(tmp_path, matrix, kind):
    parts = [encoded(matrix[:120], kind), encoded(matrix[120:], kind)]
    documents = channels.read(made(tmp_path, parts, CSV if kind == "csv" else RECORDIO), WIDTH)
    assert np.array_equal(documents.dense(), matrix)
    assert documents.words.dtype == np.int32
    assert documents.starts.dtype == np.int64
    assert documents.counts.dtype == np.float32


@pytest.mark.parametrize("kind", ["csv", "dense", "sparse"])
def test_a_pipe_holds_the_same_documents(tmp_path, matrix, kind):
    fifo = tmp_path / "train_0"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=[encoded(matrix, kind)])
    writer.start()
    try:
        channel = Channel("train", tmp_path / "train", CSV if kind == "csv" else RECORDIO, input_mode="Pipe")
        documents = channels.read(channel, WIDTH)
    finally:
        writer.join()
    assert np.array_equal(documents.dense(), matrix)


def test_no_content_type_is_recordio_and_a_label_is_no_word(tmp_path, matrix):
    labelled = records.encode(Table(matrix, labels=np.ones(len(matrix), np.float32)))
    assert np.array_equal(channels.read(made(tmp_path, labelled, None), WIDTH).dense(), matrix)


def test_sparse_and_dense_records_and_all_tensors_may_be_mixed(tmp_path):
    content = b"".join(
        [
            sparse_record([3, 1], [2, 5], [4]),
            sparse_record([2, 2], [1.0, 3.0], [4], "float64_tensor"),
            sparse_record([], [1, 0, 0, 7], [], "int32_tensor"),
            sparse_record([], [], [4]),
            sparse_record([0], [0], [4], "int32_tensor"),
        ]
    )
    documents = channels.read(made(tmp_path, content, RECORDIO), 4)
    expected = [[0, 5, 0, 2], [0, 0, 4, 0], [1, 0, 0, 7], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert documents.dense().tolist() == expected


def test_wrapped_files_are_unwrapped(tmp_path, matrix):
    content = recordio.frame(encoded(matrix, "sparse"))
    channel = made(tmp_path, content, RECORDIO, record_wrapper="RecordIO")
    assert np.array_equal(channels.read(channel, WIDTH).dense(), matrix)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-1, "is -1, below 0"),
        (0.5, "is 0.5, a fraction"),
        (float("nan"), "NaN"),
        (2.0 * MOST, f"above {MOST}"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "dense", "sparse"])
def test_what_is_no_count_is_refused_with_file_record_and_word(tmp_path, matrix, kind, value, reason):
    wrong = matrix.copy()
    wrong[211, 17] = value
    with pytest.raises(UserError, match=reason) as caught:
        channels.read(made(tmp_path, encoded(wrong, kind), CSV if kind == "csv" else RECORDIO), WIDTH)
    place = "part-0, line 212, column 18" if kind == "csv" else "part-0, record 212"
    assert place in str(caught.value)
    assert kind == "csv" or "word 17" in str(caught.value)


def test_an_infinite_count_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"part-0, record 1 .*word 2"):
        channels.read(made(tmp_path, sparse_record([2], [float("inf")], [4]), RECORDIO), 4)


def test_an_index_that_is_no_word_is_refused_with_both_numbers(tmp_path):
    """ntm_lda N22."""
    content = sparse_record([1], [1], [2000]) + sparse_record([7, 2100], [1, 1], [2500])
    with pytest.raises(UserError, match=r"record 2.* 2100 is not below .*2000"):
        channels.read(made(tmp_path, content, RECORDIO), 2000)


@pytest.mark.parametrize("kind", ["csv", "dense", "sparse"])
def test_another_width_is_refused_with_both_numbers(tmp_path, matrix, kind):
    content = encoded(matrix, kind)
    with pytest.raises(UserError, match=r"expected 41 .*got 40"):
        channels.read(made(tmp_path, content, CSV if kind == "csv" else RECORDIO), WIDTH + 1)


def test_a_channel_without_documents_is_refused_but_for_a_host_among_others(tmp_path):
    channel = made(tmp_path, [], RECORDIO)
    with pytest.raises(UserError, match="No data in train"):
        channels.read(channel, 5)
    assert channels.read(channel, 5, shard=True).rows == 0


def test_other_types_are_refused(tmp_path):
    with pytest.raises(UnsupportedMediaType, match="text/libsvm"):
        channels.read(made(tmp_path, b"1 1:1", "text/libsvm"), 5)
