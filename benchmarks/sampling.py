"""What Random Cut Forest's pass over a channel costs: the sample drawn while the rows are read, against reading alone.

    python benchmarks/sampling.py --rows 1000000 --runs 3

Rows are of 10 columns; the sample is of 100 trees of 256. "parser" reads the rows and drops them, "sampled" keeps the
sample and looks for missing values; of odd.pbr, which begins with a record unlike the others, every record is read by
itself. Every figure comes from a
process of its own, which reads a small file first; the runs take turns and medians are printed. CPU is user plus system
time; memory is the highest resident memory above what was in use before, so that a file larger than it has streamed.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sagedock.algorithms.randomcutforest.evaluation import require_values
from sagedock.algorithms.randomcutforest.sampling import Reservoir
from sagedock.contracts.channels import Source
from sagedock.formats.media_types import CSV, RECORDIO, parse_media_type
from sagedock.formats.table import Part, RecordIdentity, Table
from sagedock.formats.training import encode_table, read_parts

COLUMNS = 10
CAPACITY = 100 * 256
BLOCK_ROWS = 20_000
ODD = "odd.pbr"
TYPES = {"csv": CSV, "pbr": RECORDIO}


def parts(file: Path) -> Iterator[Part]:
    source = Source(str(file), lambda: file.open("rb"), file)
    return read_parts([source], parse_media_type(TYPES[file.suffix[1:]]), COLUMNS, labelled=False)


def parser(file: Path) -> int:
    return sum(part.table.rows for part in parts(file))


def sampled(file: Path) -> int:
    reservoir = Reservoir(CAPACITY, COLUMNS, 0)
    for part in parts(file):
        require_values(part)
        reservoir.add(part.table.dense)
    return reservoir.seen


WAYS: dict[str, Callable[[Path], int]] = {"parser": parser, "sampled": sampled}
CASES = [
    ("rows.csv", "parser"),
    ("rows.csv", "sampled"),
    ("rows.pbr", "parser"),
    ("rows.pbr", "sampled"),
    (ODD, "parser"),
]


def write(file: Path, rows: int) -> None:
    """A file of `rows` rows of five digits a number; ODD begins with one more, which has a uid."""
    random = np.random.default_rng(0)
    with file.open("wb") as stream:
        if file.name == ODD:
            stream.write(
                encode_table(Table(np.zeros((1, COLUMNS), np.float32), identities=[RecordIdentity("0")]), RECORDIO)
            )
        for begin in range(0, rows, BLOCK_ROWS):
            block = random.normal(size=(min(BLOCK_ROWS, rows - begin), COLUMNS)).round(4).astype(np.float32)
            if file.suffix == ".csv":
                text = "\n".join(",".join(f"{value:.4f}" for value in row) for row in block.tolist())
                stream.write(text.encode() + b"\n")
            else:
                stream.write(encode_table(Table(block), RECORDIO))


def measure(way: str, small: Path, file: Path) -> dict[str, float]:
    """In this process: seconds, CPU seconds, and the peak of memory above what was in use, in MB."""
    WAYS[way](small)
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    rows = WAYS[way](file)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"rows": rows, "seconds": seconds, "cpu": cpu, "memory": (after.ru_maxrss - before.ru_maxrss) / 1024}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--one", nargs=3, metavar=("WAY", "SMALL", "FILE"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        way, small, file = given.one
        print(json.dumps(measure(way, Path(small), Path(file))))
        return
    with tempfile.TemporaryDirectory() as folder:
        found: dict[tuple[str, str], list[dict[str, float]]] = {case: [] for case in CASES}
        for name in dict(CASES):
            write(Path(folder) / name, given.rows)
        small = {file.suffix: Path(folder) / f"small{file.suffix}" for file in Path(folder).iterdir()}
        for file in small.values():
            write(file, 1000)
        for _ in range(given.runs):
            for name, way in CASES:
                file = Path(folder) / name
                command = [sys.executable, __file__, "--one", way, str(small[file.suffix]), str(file)]
                ran = subprocess.run(command, check=True, capture_output=True, text=True)
                found[name, way].append(json.loads(ran.stdout))
        print("| file | MB | way | MB per CPU s | rows per CPU s | peak memory above, MB |\n|---|---|---|---|---|---|")
        for (name, way), runs in found.items():
            size = (Path(folder) / name).stat().st_size / 1e6
            cpu, memory = (statistics.median(run[figure] for run in runs) for figure in ("cpu", "memory"))
            print(f"| {name} | {size:.0f} | {way} | {size / cpu:.0f} | {given.rows / cpu:,.0f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
