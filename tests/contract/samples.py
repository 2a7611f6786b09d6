"""A small job and a few requests for each algorithm: what the contract suite needs to know of it.

A new algorithm adds one entry to SAMPLES, and every statement of the contract is checked for it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.algorithms.xgboost import data


@dataclass(frozen=True)
class Sample:
    """A training job that takes a second or two, and what its model can be asked.

    `integer`, `real`: a hyperparameter of that type and a value for it. `out_of_range`: one refused, with the value.
    `channels` maps a channel to its files, `content_type` is theirs. `bad_channel` is a train channel of bad data.
    `requests` maps a content type to a body of `records` records; `malformed` is a body of that type which is none.
    `progress` is a prefix of a line of stdout by which one round or epoch is known to be done.
    """

    algorithm: str
    hyperparameters: Mapping[str, str]
    integer: tuple[str, int]
    real: tuple[str, float]
    out_of_range: tuple[str, str]
    content_type: str
    channels: Mapping[str, Mapping[str, str | bytes]]
    bad_channel: Mapping[str, str | bytes]
    long: Mapping[str, str]
    """Hyperparameters that make the job last until it is stopped."""
    progress: str
    requests: Mapping[str, bytes]
    records: int
    malformed: tuple[str, bytes]
    pipe_types: Sequence[str] = ()


def _xgboost() -> Sample:
    train, validation = data.numbers(120), data.numbers(60, seed=7)
    rows = data.numbers(3, seed=9)
    lines = [",".join(repr(float(value)) for value in row) for row in rows]
    return Sample(
        algorithm="xgboost",
        hyperparameters={"objective": "binary:logistic", "num_round": "4", "nthread": "1", "eval_metric": "auc,error"},
        integer=("max_depth", 6),
        real=("eta", 0.1),
        out_of_range=("eta", "1.5"),
        content_type="text/csv",
        channels={
            "train": {"part-0.csv": data.csv(data.binary_labels(train), train)},
            "validation": {"part-0.csv": data.csv(data.binary_labels(validation), validation)},
        },
        bad_channel={"part-0.csv": "1,2,3\n0,x,3\n"},
        long={"num_round": "1000000"},
        progress="[2]\t",
        requests={
            "text/csv": "\n".join(lines).encode() + b"\n",
            "application/json": ('{"instances": [' + ",".join(f'{{"features": [{line}]}}' for line in lines) + "]}").encode(),
            "application/jsonlines": "".join(f'{{"features": [{line}]}}\n' for line in lines).encode(),
            "text/libsvm": "".join(
                " ".join(f"{column}:{cell}" for column, cell in enumerate(line.split(","))) + "\n" for line in lines
            ).encode(),
        },
        records=3,
        malformed=("text/csv", b"1,2,zebra,4,5\n"),
        pipe_types=("text/csv",),
    )


SAMPLES: Mapping[str, Sample] = {sample.algorithm: sample for sample in (_xgboost(),)}
