"""What it costs to load a table: CPU seconds and peak memory, against named peers.

The first table is of text to a matrix of 32-bit floats, the reading alone: megabytes of text per CPU second, and peak
memory above that of the result. The second is of files to an xgboost.DMatrix.

    python benchmarks/loading.py --rows 1000000 --runs 3

Every figure comes from a process of its own; the runs of the readers take turns, and medians are printed. Each process
first loads a file of 100 rows, so that no import is counted. CPU is user plus system time of the whole process, the
building of the DMatrix included. Memory is the highest resident memory above what was in use before.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

COLUMNS = 28
PEERS = ("pyarrow", "polars", "pandas")


def read_ours(path: Path) -> Any:
    from sagedock.contracts.channels import Source
    from sagedock.formats.media_types import parse_media_type
    from sagedock.formats.training import read_table

    source = Source(str(path), lambda: path.open("rb"), path)
    return read_table([source], parse_media_type(path.suffix[1:]))


def ours(path: Path) -> Any:
    import xgboost

    table = read_ours(path)
    return xgboost.DMatrix(table.features, label=table.labels, nthread=1)


def table_of_ours(path: Path) -> list[Any]:
    table = read_ours(path)
    features: Any = table.features
    parts = [features.data, features.indices, features.indptr] if table.is_sparse else [features]
    return [*parts, table.labels]


def table_of_ours_in_python(path: Path) -> list[Any]:
    from sagedock import core

    core.switch_off()
    return table_of_ours(path)


def pyarrow_csv(path: Path) -> Any:
    import numpy as np
    import pyarrow
    import xgboost
    from pyarrow import csv

    names = [str(position) for position in range(COLUMNS + 1)]
    types = dict.fromkeys(names, pyarrow.float32())
    options = csv.ConvertOptions(column_types=types)
    table = csv.read_csv(path, csv.ReadOptions(column_names=names, use_threads=False), convert_options=options)
    features = np.column_stack([column.to_numpy() for column in table.columns[1:]])
    return xgboost.DMatrix(features, label=table.columns[0].to_numpy(), nthread=1)


def pyarrow_parquet(path: Path) -> Any:
    import numpy as np
    import xgboost
    from pyarrow import parquet

    table = parquet.read_table(path, use_threads=False)
    features = np.column_stack([column.to_numpy() for column in table.columns[1:]])
    return xgboost.DMatrix(features, label=table.columns[0].to_numpy(), nthread=1)


def polars_csv(path: Path) -> Any:
    import polars
    import xgboost

    schema = polars.Schema({str(position): polars.Float32 for position in range(COLUMNS + 1)})
    frame = polars.read_csv(path, has_header=False, schema=schema)
    return xgboost.DMatrix(frame[:, 1:].to_numpy(), label=frame[:, 0].to_numpy(), nthread=1)


def table_of_polars(path: Path) -> list[Any]:
    import polars

    schema = polars.Schema({str(position): polars.Float32 for position in range(COLUMNS + 1)})
    return [polars.read_csv(path, has_header=False, schema=schema).to_numpy()]


def polars_parquet(path: Path) -> Any:
    import polars
    import xgboost

    frame = polars.read_parquet(path)
    return xgboost.DMatrix(frame[:, 1:].to_numpy(), label=frame[:, 0].to_numpy(), nthread=1)


def pandas_csv(path: Path) -> Any:
    import numpy as np
    import pandas
    import xgboost

    frame = pandas.read_csv(path, header=None, dtype=np.float32)
    return xgboost.DMatrix(frame.iloc[:, 1:].to_numpy(), label=frame[0].to_numpy(), nthread=1)


def pandas_parquet(path: Path) -> Any:
    import pandas
    import xgboost

    frame = pandas.read_parquet(path)
    return xgboost.DMatrix(frame.iloc[:, 1:].to_numpy(), label=frame.iloc[:, 0].to_numpy(), nthread=1)


def xgboost_uri(path: Path) -> Any:
    import xgboost

    xgboost.set_config(verbosity=0)
    suffix = "&label_column=0" if path.suffix == ".csv" else ""
    return xgboost.DMatrix(f"{path}?format={path.suffix[1:]}{suffix}", nthread=1)


READERS: dict[str, dict[str, Callable[[Path], Any]]] = {
    "csv": {
        "sagedock": ours,
        "pyarrow": pyarrow_csv,
        "polars": polars_csv,
        "pandas": pandas_csv,
        "xgboost": xgboost_uri,
    },
    "libsvm": {"sagedock": ours, "xgboost": xgboost_uri},
    "parquet": {
        "sagedock": ours,
        "pyarrow": pyarrow_parquet,
        "polars": polars_parquet,
        "pandas": pandas_parquet,
    },
}


TABLES: dict[str, dict[str, Callable[[Path], list[Any]]]] = {
    "csv": {"sagedock": table_of_ours, "sagedock without core": table_of_ours_in_python, "polars": table_of_polars},
    "libsvm": {"sagedock": table_of_ours, "sagedock without core": table_of_ours_in_python},
}
"""Readers to arrays, which are the result."""


def kilobytes(name: str) -> int:
    """One line of this process's status, in KiB (proc(5))."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


def measure(sink: str, form: str, reader: str, path: Path) -> None:
    """Load `path` once and print what it cost as JSON."""
    read: Callable[[Path], Any] = (TABLES if sink == "table" else READERS)[form][reader]
    read(path.with_stem("small"))
    before = kilobytes("VmRSS")
    start = os.times()
    result = read(path)
    end = os.times()
    cpu = end.user + end.system - start.user - start.system
    found = {"cpu": cpu, "memory": (kilobytes("VmHWM") - before) / 1024}
    if sink == "table":
        found["result"] = sum(array.nbytes for array in result) / 2**20
    else:
        found["rows"] = result.num_row()
    print(json.dumps(found))


def write(folder: Path, stem: str, rows: int) -> dict[str, Path]:
    """The same seeded table in the three formats."""
    import numpy as np
    import pyarrow
    from pyarrow import parquet

    paths = {form: folder / f"{stem}.{form}" for form in READERS}
    chance = np.random.default_rng(0)
    names = ["label", *(f"f{position}" for position in range(COLUMNS))]
    schema = pyarrow.schema([(name, pyarrow.float32()) for name in names])
    with (
        paths["csv"].open("w") as csv,
        paths["libsvm"].open("w") as libsvm,
        parquet.ParquetWriter(paths["parquet"], schema) as writer,
    ):
        for begin in range(0, rows, 20_000):
            block = chance.normal(size=(min(20_000, rows - begin), COLUMNS + 1)).astype(np.float32)
            block[:, 0] = block[:, 0] > 0
            for row in block.tolist():
                label, texts = f"{row[0]:.0f}", list(map(repr, row[1:]))
                csv.write(f"{label},{','.join(texts)}\n")
                libsvm.write(f"{label} {' '.join(f'{index}:{text}' for index, text in enumerate(texts))}\n")
            writer.write_table(pyarrow.table(list(block.T.copy()), schema=schema))
    return paths


def run(sink: str, form: str, reader: str, path: Path) -> dict[str, float]:
    """One measurement in a fresh process with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, __file__, "--measure", sink, form, reader, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def available(readers: Iterable[str]) -> list[str]:
    """The readers whose library is there; says which are not."""
    found = []
    for reader in readers:
        if reader in PEERS and importlib.util.find_spec(reader) is None:
            print(f"{reader} is not installed: skipped (python -m pip install -r requirements/bench.in)")
        else:
            found.append(reader)
    return found


def medians(sink: str, form: str, path: Path, runs: int) -> dict[str, dict[str, float]]:
    """Every reader's medians; the readers take turns."""
    found: dict[str, list[dict[str, float]]] = {
        reader: [] for reader in available((TABLES if sink == "table" else READERS)[form])
    }
    for _ in range(runs):
        for reader, results in found.items():
            results.append(run(sink, form, reader, path))
    return {
        reader: {what: statistics.median(result[what] for result in results) for what in results[0]}
        for reader, results in found.items()
    }


def compare_tables(form: str, path: Path, runs: int) -> None:
    """Print what reading one text format to arrays costs."""
    megabytes = path.stat().st_size / 1e6
    for reader, found in medians("table", form, path, runs).items():
        cpu, above = found["cpu"], found["memory"] - found["result"]
        print(
            f"| {form} | {reader} | {megabytes:.0f} | {cpu:.2f} | {megabytes / cpu:.0f} "
            f"| {found['result']:.0f} | {above:.0f} |"
        )


def compare(form: str, path: Path, rows: int, runs: int) -> None:
    """Print what loading one format to a DMatrix costs, every reader beside ours."""
    found = medians("DMatrix", form, path, runs)
    for reader, figures in found.items():
        if figures["rows"] != rows:
            print(f"{reader} read {figures['rows']:.0f} of {rows} rows")
        cpu, memory = figures["cpu"], figures["memory"]
        print(
            f"| {form} | {reader} | {cpu:.2f} | {memory:.0f} | {memory * 2**20 / (rows * COLUMNS * 4):.2f} "
            f"| {cpu / found['sagedock']['cpu']:.2f} | {memory / found['sagedock']['memory']:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--formats", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--sinks", nargs="+", choices=["table", "DMatrix"], default=["table", "DMatrix"])
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        *what, path = arguments.measure
        measure(*what, Path(path))
        return
    versions = {name: importlib.metadata.version(name) for name in PEERS if importlib.util.find_spec(name) is not None}
    print(f"{arguments.rows} rows x {COLUMNS} columns, medians of {arguments.runs} runs, one thread; {versions}")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), "small", 100)
        paths = write(Path(folder), "table", arguments.rows)
        if "table" in arguments.sinks:
            print("| format | reader | MB of text | CPU s | MB per CPU s | result MiB | peak above result MiB |")
            print("|---|---|---|---|---|---|---|")
            for form in filter(TABLES.__contains__, arguments.formats):
                compare_tables(form, paths[form], arguments.runs)
        if "DMatrix" in arguments.sinks:
            print("\n| format | reader | CPU s | peak MiB | peak / matrix | CPU / ours | peak / ours |")
            print("|---|---|---|---|---|---|---|")
            for form in arguments.formats:
                compare(form, paths[form], arguments.rows, arguments.runs)


if __name__ == "__main__":
    main()
