"""What it costs to load a table into an xgboost.DMatrix: CPU seconds and peak memory, against named peers.

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
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLUMNS = 28
PEERS = ("pyarrow", "polars", "pandas")


def ours(path: Path) -> Any:
    import xgboost

    from sagedock.contracts.channels import Source
    from sagedock.formats.media_types import parse_media_type
    from sagedock.formats.training import read_table

    source = Source(str(path), lambda: path.open("rb"), path)
    table = read_table([source], parse_media_type(path.suffix[1:]))
    return xgboost.DMatrix(table.features, label=table.labels, nthread=1)


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


def kilobytes(name: str) -> int:
    """One line of this process's status, in KiB (proc(5))."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


def measure(form: str, reader: str, path: Path) -> None:
    """Load `path` once and print what it cost as JSON."""
    READERS[form][reader](path.with_stem("small"))
    before = kilobytes("VmRSS")
    start = os.times()
    matrix = READERS[form][reader](path)
    end = os.times()
    cpu = end.user + end.system - start.user - start.system
    print(json.dumps({"cpu": cpu, "memory": (kilobytes("VmHWM") - before) / 1024, "rows": matrix.num_row()}))


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


def run(form: str, reader: str, path: Path) -> dict[str, float]:
    """One measurement in a fresh process with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, __file__, "--measure", form, reader, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def available(form: str) -> list[str]:
    """The readers of `form` whose library is there; says which are not."""
    found = []
    for reader in READERS[form]:
        if reader in PEERS and importlib.util.find_spec(reader) is None:
            print(f"{reader} is not installed: skipped (python -m pip install -r requirements/bench.in)")
        else:
            found.append(reader)
    return found


def compare(form: str, path: Path, rows: int, runs: int) -> None:
    """Print the table of one format, every reader's median beside ours."""
    found: dict[str, list[dict[str, float]]] = {reader: [] for reader in available(form)}
    for _ in range(runs):
        for reader, results in found.items():
            results.append(run(form, reader, path))
    medians = {
        reader: [statistics.median(result[what] for result in results) for what in ("cpu", "memory")]
        for reader, results in found.items()
    }
    for reader, results in found.items():
        if any(result["rows"] != rows for result in results):
            print(f"{reader} read {results[0]['rows']} of {rows} rows")
    own_cpu, own_memory = medians["sagedock"]
    for reader, (cpu, memory) in medians.items():
        print(
            f"| {form} | {reader} | {cpu:.2f} | {memory:.0f} | {memory * 2**20 / (rows * COLUMNS * 4):.2f} "
            f"| {cpu / own_cpu:.2f} | {memory / own_memory:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--formats", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        form, reader, path = arguments.measure
        measure(form, reader, Path(path))
        return
    versions = {name: importlib.metadata.version(name) for name in PEERS if importlib.util.find_spec(name) is not None}
    print(f"{arguments.rows} rows x {COLUMNS} columns, medians of {arguments.runs} runs, one thread; {versions}")
    print("| format | reader | CPU s | peak MiB | peak / matrix | CPU / ours | peak / ours |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), "small", 100)
        paths = write(Path(folder), "table", arguments.rows)
        for form in arguments.formats:
            compare(form, paths[form], arguments.rows, arguments.runs)


if __name__ == "__main__":
    main()
