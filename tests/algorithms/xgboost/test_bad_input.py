"""What bad training data gets: the file, the line or field, and the remedy, in the failure file and the exit code."""

from __future__ import annotations

import io
import os
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sagedock.formats import recordio
from tests.algorithms.xgboost import data


def parquet() -> bytes:
    features = data.numbers(50)
    columns = {"y": data.binary_labels(features), **{f"x{n}": features[:, n] for n in range(5)}}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def golden_records() -> bytes:
    """The dense golden frame of the RecordIO specification, twice."""
    payload = bytes.fromhex("0a160a0676616c756573120c120a0a080000803f0000004012120a0676616c756573120812060a040000803f")
    return (bytes.fromhex("0a23d7ce2c000000") + payload) * 2


@pytest.mark.parametrize(
    ("content_type", "content", "words"),
    [
        ("text/csv", "label,a,b\n1,2,3\n0,2,3\n", ["line 1", "header"]),
        ("text/csv", "1,2,3\n0,abc,3\n", ["line 2", "abc"]),
        ("text/csv", "1,2,3\n0,2\n1,2,3\n", ["line 2", "3", "2"]),
        ("text/csv", '1,2,3\n0,"x",3\n', ["line 2", "x"]),
        ("text/csv;label_size=2", "1,2,3\n", ["label_size"]),
        ("text/libsvm", "1,2,3\n", ["line 1", "LIBSVM"]),
        ("text/libsvm", "1 1:2\nx 1:2\n", ["line 2", "x"]),
        ("application/x-parquet", parquet()[:-40], ["data"]),
        ("application/x-parquet", b"no parquet at all", ["data"]),
        ("application/x-recordio-protobuf", golden_records()[:-10], ["byte"]),
        ("application/x-recordio-protobuf", b"\x00" * 16, ["byte"]),
    ],
    ids=[
        "header",
        "text",
        "ragged",
        "quoted",
        "label_size",
        "csv as libsvm",
        "label",
        "cut",
        "none",
        "cut rec",
        "magic",
    ],
)
def test_bad_data_names_file_place_and_value(make_job, content_type: str, content, words: list[str]) -> None:
    """Statements 23 and 63, defect 8.12, and the issue's list of bad input."""
    job = make_job(validation=False).add_channel("train", {"data": content}, ContentType=content_type)
    assert job.run() == 1
    first = job.failure.splitlines()[0]
    assert first.startswith("UserError: ")
    assert all(word in first for word in words), first
    if "label_size" not in words:
        assert str(job.data / "train" / "data") in first
    assert not (job.model / "xgboost-model").exists()


def test_parquet_and_recordio_train(make_job) -> None:
    """Issue item 4: the same job reads every table format."""
    job = make_job("parquet", validation=False).add_channel("train", {"d": parquet()}, ContentType="parquet")
    assert job.run() == 0
    records = golden_records() + golden_records().replace(
        bytes.fromhex("060a040000803f"), bytes.fromhex("060a0400000000")
    )
    job = make_job("recordio", validation=False).add_channel(
        "train", {"d": records}, ContentType="application/x-recordio-protobuf"
    )
    assert job.run() == 0
    assert job.manifest()["model"]["feature_count"] == 2


def test_a_recordio_wrapped_pipe_trains_the_model_of_its_files(make_job) -> None:
    """Contract 1.4, defect 8.14: with RecordWrapperType RecordIO each object of a pipe is one record."""
    features = data.numbers(100)
    labels = data.binary_labels(features)
    parts = [data.csv(labels[:60], features[:60]), data.csv(labels[60:], features[60:])]
    plain = make_job("plain", validation=False)
    plain.add_channel("train", {f"{n}.csv": part for n, part in enumerate(parts)}, ContentType="text/csv")
    piped = make_job("piped", validation=False)
    piped.declare("train", ContentType="text/csv", TrainingInputMode="Pipe", RecordWrapperType="RecordIO")
    fifo = piped.data / "train_0"
    os.mkfifo(fifo)
    content = b"".join(recordio.frame(part.encode()) for part in parts)
    feeder = threading.Thread(target=fifo.write_bytes, args=(content,), daemon=True)
    feeder.start()
    assert piped.run() == plain.run() == 0, piped.failure
    assert (piped.model / "xgboost-model").read_bytes() == (plain.model / "xgboost-model").read_bytes()


def test_an_empty_validation_channel_is_named(make_job) -> None:
    """Statement 22."""
    job = make_job().add_channel("validation", {}, ContentType="text/csv")
    assert job.run() == 1
    assert "No data in validation channel path" in job.failure


def test_the_validation_channel_must_have_the_same_columns(make_job) -> None:
    """A mistake that XGBoost would only meet in round 0."""
    job = make_job().add_channel("validation", {"v.csv": "1,2\n0,3\n"}, ContentType="text/csv")
    assert job.run() == 1
    assert "train has 5, validation has 1" in job.failure


def test_labels_alone_are_no_features(make_job) -> None:
    job = make_job(validation=False).add_channel("train", {"t.csv": "1\n0\n1\n"}, ContentType="text/csv")
    assert job.run() == 1
    assert "no feature columns" in job.failure


def test_negative_weights_are_refused(make_job) -> None:
    """csv_weights: a weight is a number of at least 0."""
    job = make_job(validation=False, csv_weights="1")
    job.add_channel("train", {"t.csv": "1,1,5\n0,-2,4\n"}, ContentType="text/csv")
    assert job.run() == 1
    assert "weight -2 in row 2" in job.failure


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"monotone_constraints": "(1,0,0,0,0,1)", "tree_method": "hist"}, "6 items for 5 feature columns"),
        ({"interaction_constraints": "[[0, 5]]", "tree_method": "hist"}, "index 5 is beyond the 5 feature columns"),
    ],
)
def test_constraints_must_fit_the_columns(make_job, given: dict[str, str], text: str) -> None:
    job = make_job(**given)
    assert job.run() == 1
    assert text in job.failure


def test_fewer_rows_than_folds(make_job) -> None:
    job = make_job(validation=False, _kfold="5").add_channel("train", {"t.csv": "1,2\n0,3\n"}, ContentType="text/csv")
    assert job.run() == 1
    assert "_kfold is 5, but the channels hold only 2 rows" in job.failure


def test_all_mistakes_in_hyperparameters_are_reported_together(make_job) -> None:
    """Issue item 3."""
    job = make_job(eta="7", max_depth="x", lernrate="1")
    assert job.run() == 1
    assert all(name in job.failure for name in ("eta", "max_depth", "lernrate"))


def test_infinite_labels_are_refused(make_job) -> None:
    job = make_job(validation=False, objective="reg:squarederror")
    job.add_channel("train", {"t.csv": "1,2\ninf,3\n"}, ContentType="text/csv")
    assert job.run() == 1
    assert "inf" in job.failure


QUERIES = "1 qid:1 0:1\n0 qid:1 0:2\n1 qid:2 0:3\n0 qid:2 0:1\n"


@pytest.mark.parametrize(
    ("given", "content", "text"),
    [
        (
            {"objective": "rank:ndcg"},
            "1 qid:2 0:1\n0 qid:1 0:2\n",
            "qid 1 in row 2 of the train channel comes after qid 2",
        ),
        ({"objective": "rank:ndcg"}, "1:2 qid:1 0:1\n0:1 qid:1 0:2\n", "both qid and weights"),
        (
            {"objective": "rank:ndcg"},
            "32 qid:1 0:1\n0 qid:1 0:2\n",
            "with objective rank:ndcg a label must be an integer in",
        ),
        (
            {"objective": "rank:pairwise"},
            "0.5 qid:1 0:1\n0 qid:1 0:2\n",
            "with metric ndcg@32 a label must be an integer",
        ),
        ({"objective": "rank:ndcg", "_kfold": "2"}, QUERIES, "leave _kfold out"),
        (
            {"objective": "count:poisson", "eval_metric": "map@2"},
            "3 0:1\n0 0:2\n",
            "with metric map@2 a label must be 0 or 1",
        ),
        ({"cost_matrix": "[[0,1],[5,1]]"}, "0.9 0:1\n0 0:2\n", "with cost_matrix a label must be 0 or 1"),
        ({}, "1:0 0:1\n0:0 0:2\n", "every weight of the train channel is 0"),
        ({}, "1 2000000000:1\n0 0:2\n", "has 2000000001 feature columns, as its highest index says"),
    ],
)
def test_what_xgboost_would_refuse_in_its_own_words_is_refused_in_ours(
    make_job, given: dict[str, str], content: str, text: str
) -> None:
    """Section 6.9: an error that the user can repair is a UserError; an index like an identifier is no memory fault."""
    job = make_job(**given)
    for channel in ("train", "validation"):
        job.add_channel(channel, {"data": content}, ContentType="text/libsvm")
    assert job.run() == 1
    assert job.failure.startswith("UserError: ")
    assert text in job.failure
