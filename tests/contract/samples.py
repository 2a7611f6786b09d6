"""One small workload for each algorithm: what it trains on, and the requests its model is asked.

The suites of this folder run over every algorithm that `sagedock list` names; a new algorithm adds one entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sagedock.formats import csv, instances, libsvm, parquet, records
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, LIBSVM, PARQUET, RECORDIO
from sagedock.formats.table import Floats, Table

ROWS = 6


@dataclass(frozen=True)
class SampleChannel:
    """`files` by name, and the channel's ContentType."""

    files: Mapping[str, bytes]
    content_type: str


@dataclass(frozen=True)
class Sample:
    """`requests` hold the same ROWS records in each type the algorithm reads; `malformed` none that it can read.

    `line_type` is a type whose records are lines, or None when the algorithm reads none.
    """

    hyperparameters: Mapping[str, Any]
    channels: Mapping[str, SampleChannel]
    requests: Mapping[str, bytes]
    malformed: Mapping[str, bytes] = field(default_factory=dict)
    line_type: str | None = CSV


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
    features = np.random.default_rng(1).normal(size=(200, 4)).astype(np.float32)
    labels = (features[:, 0] > features[:, 1]).astype(np.float32)
    content = csv.encode(Table(np.column_stack([labels, features])))
    return Sample(
        hyperparameters={"num_round": "5", "objective": "binary:logistic", "max_depth": "3"},
        channels={
            "train": SampleChannel({"part-0.csv": content}, CSV),
            "validation": SampleChannel({"part-0.csv": content}, CSV),
        },
        requests=_table_requests(features[:ROWS]),
        malformed={
            CSV: b"1,2,3,four\n",
            LIBSVM: b"1 0:x\n",
            JSON: b'{"instances": [',
            JSON_LINES: b"{]\n",
            PARQUET: b"PAR1",
            RECORDIO: b"\x0a\x23\xd7\xce\xff\xff\xff\x7f",
        },
    )


SAMPLES = {"xgboost": _xgboost}
