"""What one document costs a topic model over HTTP, beyond what an empty request costs.

    .venv/bin/python -m benchmarks.topics_serving --rounds 5 --seconds 3

Each algorithm trains on counts of 20 Newsgroups (the folder of SAGEDOCK_TOPICS_DIR, with 20ng_bydate_train_bow.npz and
20ng_vocab.txt), with its vocabulary and 20 topics, and is then served by two workers. wrk sends one document of 48
different words, the median of the set, over 8 connections: as counts of all words (text/csv), as sparse counts (JSON,
JSON Lines) and as raw text; and requests without a body, which no model sees: they are the floor. CPU is user plus
system time of the server's whole process tree for each request; the kinds take turns, and medians are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.serving import SERVERS, Case, load, middle, start
from sagedock.formats import records
from sagedock.formats.table import Table
from sagedock.training.run import run

DATA = Path(os.environ.get("SAGEDOCK_TOPICS_DIR", Path(__file__).parents[2] / "shared" / "data" / "topics"))
WORDS = 48
ALGORITHMS: Mapping[str, Mapping[str, str]] = {
    "lda": {"mini_batch_size": "{documents}", "_sweeps": "50", "_chains": "1"},
    "ntm": {"epochs": "5"},
}


@dataclass(frozen=True)
class Kind:
    """A request of one document, or of none."""

    name: str
    content_type: str
    body: str
    connections: int = 8


def counts() -> tuple[csr_matrix, list[str]]:
    """The documents and the vocabulary."""
    found = np.load(DATA / "20ng_bydate_train_bow.npz")
    words = (DATA / "20ng_vocab.txt").read_text().split()
    shape = (len(found["indptr"]) - 1, len(words))
    return csr_matrix((found["data"].astype(np.float32), found["indices"], found["indptr"]), shape=shape), words


def trained(algorithm: str, matrix: csr_matrix, words: list[str], base: Path) -> Path:
    """Train in a directory like /opt/ml; a file of the model."""
    given = {name: value.format(documents=matrix.shape[0]) for name, value in ALGORITHMS[algorithm].items()}
    config, data = base / "input" / "config", base / "input" / "data"
    for folder in (config, data / "train", data / "auxiliary"):
        folder.mkdir(parents=True)
    (data / "train" / "counts").write_bytes(records.encode(Table(matrix)))
    (data / "auxiliary" / "vocab.txt").write_text("\n".join(words) + "\n")
    settings = {"feature_dim": str(len(words)), "num_topics": "20", **given}
    (config / "hyperparameters.json").write_text(json.dumps(settings))
    channels = {"train": "application/x-recordio-protobuf", "auxiliary": "text/plain"}
    declared = {name: {"TrainingInputMode": "File", "ContentType": kind} for name, kind in channels.items()}
    (config / "inputdataconfig.json").write_text(json.dumps(declared))
    variables = {"SAGEMAKER_BASE_DIR": str(base), "SAGEDOCK_ALGORITHM": algorithm, "SAGEDOCK_PROGRESS": "never"}
    if run({**os.environ, **variables}) != 0:
        raise SystemExit((base / "output" / "failure").read_text())
    return base / "model" / "manifest.json"


def kinds(matrix: csr_matrix, words: list[str]) -> list[Kind]:
    """The requests, all but the first about one document."""
    row = matrix[int(np.flatnonzero(np.diff(matrix.indptr) == WORDS)[0])]
    tensor = {"keys": row.indices.tolist(), "shape": [len(words)], "values": row.data.tolist()}
    instance = {"data": {"features": tensor}}
    text = " ".join(
        word for index, count in zip(row.indices, row.data, strict=True) for word in [words[index]] * int(count)
    )
    dense = ",".join(str(int(value)) for value in row.toarray()[0])
    return [
        Kind("no body", "text/csv", ""),
        Kind("CSV", "text/csv", dense),
        Kind("JSON, sparse", "application/json", json.dumps({"instances": [instance]})),
        Kind("JSON Lines, sparse", "application/jsonlines", json.dumps(instance)),
        Kind("JSON, raw text", "application/json", json.dumps({"instances": [{"text": text}]})),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(ALGORITHMS), choices=list(ALGORITHMS))
    options = parser.parse_args()
    matrix, words = counts()
    asked = kinds(matrix, words)
    print("| request | " + " | ".join(f"{name}: CPU us | beyond the floor" for name in options.only) + " |")
    print("|---" * (1 + 2 * len(options.only)) + "|")
    columns = []
    for algorithm in options.only:
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            running = start(SERVERS[0], trained(algorithm, matrix, words, scratch / "job"))
            try:
                for _ in range(options.rounds):
                    for kind in asked:
                        running.server = replace(running.server, content_type=kind.content_type)
                        load(running, cast("Case", kind), kind.body, options.seconds, scratch)
                measured = {kind: running.measured[cast("Case", kind)]["cpu_us"] for kind in asked}
            finally:
                running.stop()
            floor = measured[asked[0]]
            beyond = [statistics.median(a - b for a, b in zip(measured[kind], floor, strict=True)) for kind in asked]
            columns.append(
                [(middle(running.measured[cast("Case", k)], "cpu_us"), b) for k, b in zip(asked, beyond, strict=True)]
            )
    for kind, *cells in zip(asked, *columns, strict=True):
        print(f"| {kind.name} | " + " | ".join(f"{cost:.1f} | {more:.1f}" for cost, more in cells) + " |")


if __name__ == "__main__":
    main()
