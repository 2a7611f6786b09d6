"""A small job and a few requests for each algorithm: what the contract suite needs to know of it.

A new algorithm adds one entry to SAMPLES, and every statement of the contract is checked for it too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sagedock.formats import csv, instances, libsvm, parquet, records
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, LIBSVM, PARQUET, PLAIN_TEXT, RECORDIO
from sagedock.formats.table import Floats, Table
from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.deepar import toys
from tests.algorithms.image_classification import channel_data
from tests.algorithms.image_classification import jobs as picture_jobs
from tests.algorithms.xgboost import data
from tests.contract import topic_samples

ROWS = 6


@dataclass(frozen=True)
class Sample:
    """A training job that takes a second or two, and what its model can be asked.

    `integer`, `real`: a hyperparameter of that type and a value for it; `real` is None for an algorithm that has none.
    `out_of_range`: one refused, with the value.
    `channels` maps a channel to its files, `content_type` is theirs. `bad_channel` is a train channel of bad data.
    `long` are hyperparameters that make the job last until it is stopped, or else `endless` is a channel of lines that
    does so when it never ends; `progress` stands in a line of stdout by which it is known to have a model.
    `metrics` are advertised metrics that this job prints, each `rounds` times.
    `requests` hold the same ROWS records in each type the algorithm reads, `malformed` what it cannot read.
    `line_type` is a type whose records are lines, or None when the algorithm reads none.
    `counts` are the members of an answer of a type, where they are not the ROWS records.
    """

    hyperparameters: Mapping[str, str]
    integer: tuple[str, int]
    real: tuple[str, float] | None
    out_of_range: tuple[str, str]
    content_type: str
    channels: Mapping[str, Mapping[str, str | bytes]]
    bad_channel: Mapping[str, str | bytes]
    long: Mapping[str, str]
    progress: str
    metrics: Sequence[str]
    rounds: int
    requests: Mapping[str, bytes]
    malformed: Mapping[str, bytes]
    line_type: str | None = CSV
    pipe_type: str | None = None
    endless: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def _table_requests(features: Floats) -> dict[str, bytes]:
    table = Table(features)
    return {
        CSV: csv.encode(table),
        LIBSVM: libsvm.encode(table),
        JSON: instances.encode(table, lined=False),
        JSON_LINES: instances.encode(table, lined=True),
        PARQUET: parquet.encode(table),
        RECORDIO: records.encode(table),
    }


def _xgboost() -> Sample:
    train, validation = data.numbers(120), data.numbers(60, seed=7)
    return Sample(
        hyperparameters={"objective": "binary:logistic", "num_round": "4", "nthread": "1", "eval_metric": "auc,error"},
        integer=("max_depth", 6),
        real=("eta", 0.1),
        out_of_range=("eta", "1.5"),
        content_type=CSV,
        channels={
            "train": {"part-0.csv": data.csv(data.binary_labels(train), train)},
            "validation": {"part-0.csv": data.csv(data.binary_labels(validation), validation)},
        },
        bad_channel={"part-0.csv": "1,2,3\n0,x,3\n"},
        long={"num_round": "1000000"},
        progress="[2]\t",
        rounds=4,
        metrics=("train:auc", "train:error", "validation:auc", "validation:error"),
        requests=_table_requests(data.numbers(ROWS, seed=9)),
        malformed={
            CSV: b"1,2,3,four\n",
            LIBSVM: b"1 0:x\n",
            JSON: b'{"instances": [',
            JSON_LINES: b"{]\n",
            PARQUET: b"PAR1",
            RECORDIO: b"\x0a\x23\xd7\xce\xff\xff\xff\x7f",
        },
        pipe_type=CSV,
    )


def _randomcutforest() -> Sample:
    features, labelled = data.numbers(400, columns=3), data.numbers(30, columns=3, seed=7)
    labels = (np.abs(labelled).max(axis=1) > 2).astype(np.float32)
    found = _table_requests(data.numbers(ROWS, columns=3, seed=9))
    return Sample(
        hyperparameters={"feature_dim": "3", "num_trees": "50"},
        integer=("num_samples_per_tree", 3),
        real=None,
        out_of_range=("num_trees", "49"),
        content_type=CSV,
        channels={
            "train": {"part-0.csv": csv.encode(Table(features))},
            "test": {"part-0.csv": data.csv(labels, labelled)},
        },
        bad_channel={"part-0.csv": "1,2,3\n4,x,6\n"},
        long={},
        progress="Serializing the RandomCutForest model",
        endless="test",
        metrics=("test:accuracy", "test:f1", "test:precision", "test:recall"),
        rounds=1,
        requests={kind: found[kind] for kind in (CSV, JSON, JSON_LINES, RECORDIO)},
        malformed={
            CSV: b"1,2,three\n",
            JSON: b'{"instances": [',
            JSON_LINES: b"{]\n",
            RECORDIO: b"\x0a\x23\xd7\xce\xff\xff\xff\x7f",
        },
        pipe_type=CSV,
    )


def _blazingtext() -> Sample:
    lines = fasttexts.lines(90)
    texts = [line.partition(" ")[2] for line in lines[:ROWS]]
    return Sample(
        hyperparameters={
            "mode": "supervised",
            "epochs": "3",
            "vector_dim": "8",
            "buckets": "400",
            "min_count": "1",
            "_threads": "1",
        },
        integer=("word_ngrams", 2),
        real=("learning_rate", 0.25),
        out_of_range=("learning_rate", "-0.5"),
        content_type=PLAIN_TEXT,
        channels={
            "train": {"part-0.txt": fasttexts.text(lines)},
            "validation": {"part-0.txt": fasttexts.text(fasttexts.lines(30, seed=1))},
        },
        bad_channel={"part-0.txt": "words and no label\n"},
        long={"epochs": "1000000", "early_stopping": "true", "min_epochs": "1", "patience": "1000000"},
        progress="Validation accuracy: ",
        metrics=("train:accuracy", "validation:accuracy"),
        rounds=1,
        requests={
            JSON: json.dumps({"instances": texts, "configuration": {"k": 2}}).encode(),
            JSON_LINES: "".join(json.dumps({"source": text, "k": 2}) + "\n" for text in texts).encode(),
        },
        malformed={JSON: b'{"instances": [', JSON_LINES: b"{]\n"},
        line_type=JSON_LINES,
        pipe_type=PLAIN_TEXT,
    )


def _topics(
    hyperparameters: Mapping[str, str],
    real: tuple[str, float],
    out_of_range: tuple[str, str],
    judging: str,
    long: Mapping[str, str],
    progress: str,
    metric: str,
) -> Sample:
    """Of a topic model; `judging` is the channel that its one metric is of."""
    return Sample(
        hyperparameters={**topic_samples.HYPERPARAMETERS, **hyperparameters},
        integer=("num_topics", 3),
        real=real,
        out_of_range=out_of_range,
        content_type=PLAIN_TEXT,
        channels={
            "train": {"part-0.txt": topic_samples.lines(90)},
            judging: {"part-0.txt": topic_samples.lines(30, seed=1)},
        },
        bad_channel=topic_samples.BAD_CHANNEL,
        long=long,
        progress=progress,
        metrics=(metric,),
        rounds=1,
        requests=topic_samples.requests(ROWS),
        malformed=topic_samples.MALFORMED,
        pipe_type=PLAIN_TEXT,
    )


def _lda() -> Sample:
    return _topics(
        {"mini_batch_size": "90", "_sweeps": "30", "_chains": "1"},
        real=("alpha0", 0.5),
        out_of_range=("alpha0", "0"),
        judging="test",
        long={"_sweeps": "1000000"},
        progress="[Gibbs]",
        metric="test:pwll",
    )


def _ntm() -> Sample:
    return _topics(
        {"mini_batch_size": "30", "epochs": "1"},
        real=("learning_rate", 0.02),
        out_of_range=("num_topics", "1"),
        judging="validation",
        long={"epochs": "1000000", "num_patience_epochs": "1000000"},
        progress="#progress_metric",
        metric="validation:total_loss",
    )


def _forecasting_deepar() -> Sample:
    records = [{"start": "2024-01-01 00:00:00", "target": [1.0, 2.0 + row, None, 4.0]} for row in range(ROWS)]
    series = toys.lines(toys.sines(8, 60))
    return Sample(
        hyperparameters={
            "time_freq": "H",
            "prediction_length": "6",
            "context_length": "12",
            "epochs": "2",
            "mini_batch_size": "8",
            "num_eval_samples": "10",
        },
        integer=("num_cells", 6),
        real=("learning_rate", 0.1),
        out_of_range=("dropout_rate", "1.5"),
        content_type=JSON_LINES,
        channels={"train": {"part-0.json": series}, "test": {"part-0.json": series}},
        bad_channel={"part-0.json": '{"start": "2024-01-01", "target": [1, "x"]}\n'},
        long={"epochs": "1000000"},
        progress="#progress_metric",
        metrics=("test:RMSE", "test:mean_wQuantileLoss", "train:final_loss"),
        rounds=1,
        requests={JSON: json.dumps({"instances": records}).encode(), JSON_LINES: toys.lines(records)},
        malformed={JSON: b'{"instances": [', JSON_LINES: b"{]\n"},
        line_type=JSON_LINES,
    )


def _image_classification() -> Sample:
    (picture,) = channel_data.pictures(1, seed=9)
    types = ("image/png", "image/jpeg", "application/x-image")
    return Sample(
        hyperparameters=picture_jobs.ASKED,
        integer=("mini_batch_size", 6),
        real=("learning_rate", 0.02),
        out_of_range=("learning_rate", "1.5"),
        content_type=picture_jobs.RECORDIO,
        channels=picture_jobs.channels(),
        bad_channel={"part-0.rec": b"no record at all"},
        long={"epochs": "1000000"},
        progress="#progress_metric",
        metrics=("train:accuracy", "validation:accuracy"),
        rounds=2,
        requests=dict.fromkeys(types, picture.encoded),
        malformed=dict.fromkeys(types, picture.encoded[:60]),
        line_type=None,
        counts={JSON: picture_jobs.CLASSES, JSON_LINES: 1},
    )


SAMPLES: Mapping[str, Sample] = {
    "blazingtext": _blazingtext(),
    "forecasting-deepar": _forecasting_deepar(),
    "image-classification": _image_classification(),
    "lda": _lda(),
    "ntm": _ntm(),
    "randomcutforest": _randomcutforest(),
    "xgboost": _xgboost(),
}
