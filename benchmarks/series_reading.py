"""What it costs to read series into memory: JSON Lines, gzip and Parquet, against the loaders that people use.

    python -m benchmarks.series_reading [--series 400] [--length 3000] [--runs 3]

The peers are GluonTS's JsonLinesFile, as its own datasets are read, and pandas, each to an array per series. Megabytes
are those of the JSON Lines; CPU seconds are this process's, the least of the runs.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sagedock.algorithms.deepar.channel import read
from sagedock.algorithms.deepar.hyperparameters import HYPERPARAMETERS
from sagedock.contracts.channels import Channel

VALUES = HYPERPARAMETERS.parse({"context_length": 72, "epochs": 1, "prediction_length": 24, "time_freq": "H"})


def written(folder: Path, series: int, length: int) -> dict[str, Path]:
    """The same series in each format; some values are missing."""
    import pyarrow
    from pyarrow import parquet

    generator = np.random.default_rng(0)
    targets = [generator.normal(100, 20, length).round(2).tolist() for _ in range(series)]
    for target in targets:
        target[:: length // 10 + 1] = [None] * len(target[:: length // 10 + 1])
    rows = [{"start": "2024-01-01 00:00:00", "target": target} for target in targets]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table({"start": [row["start"] for row in rows], "target": targets}), sink)
    files = {"data.json": lines, "data.json.gz": gzip.compress(lines), "data.parquet": sink.getvalue()}
    for name, content in files.items():
        (folder / name.replace(".", "-")).mkdir()
        (folder / name.replace(".", "-") / name).write_bytes(content)
    return {name: folder / name.replace(".", "-") / name for name in files}


def ours(file: Path) -> Callable[[], int]:
    return lambda: len(read(Channel("train", file.parent), VALUES).series)


def gluonts(file: Path) -> Callable[[], int]:
    from gluonts.dataset.jsonl import JsonLinesFile

    def load() -> int:
        return len([np.asarray(entry["target"], np.float32) for entry in JsonLinesFile(file)])

    return load


def pandas(file: Path) -> Callable[[], int]:
    from pandas import read_json

    return lambda: len([np.asarray(target, np.float32) for target in read_json(file, lines=True)["target"]])


def least(work: Callable[[], int], runs: int, series: int) -> float:
    """CPU seconds of the cheapest run."""
    taken = []
    for _ in range(runs):
        begun = time.process_time()
        assert work() == series
        taken.append(time.process_time() - begun)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what reading series costs.")
    parser.add_argument("--series", type=int, default=400)
    parser.add_argument("--length", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = written(Path(folder), given.series, given.length)
        size = files["data.json"].stat().st_size / 1e6
        print(f"{given.series} series of {given.length} points, {size:.1f} MB of JSON Lines")
        work = {f"sagedock, {name}": ours(file) for name, file in files.items()}
        for name, peer in (("GluonTS JsonLinesFile", gluonts), ("pandas.read_json", pandas)):
            try:
                work[name] = peer(files["data.json"])
            except ImportError as error:
                print(f"{name} is skipped: {error}")
        for name, each in work.items():
            seconds = least(each, given.runs, given.series)
            print(f"{name:28}{seconds:8.3f} CPU s {size / seconds:8.1f} MB per CPU second")


if __name__ == "__main__":
    main()
