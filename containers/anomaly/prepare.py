"""Turn the raw taxi series into the channels of a training job, as AWS's workshop does.

    python containers/anomaly/prepare.py DIRECTORY [--data FILE] [--windows FILE]

writes, below DIRECTORY, the channels `train/taxi.csv` (each row the counts of one day, a row for each half hour at
which a day ends), `test/taxi.csv` (the same with a label first: 1 where half of the day or more lies within a window of
`windows.csv`) and, for the report, `timestamps/timestamps.txt` and `feature-names/feature-names.txt`; and
`request.csv`, the rows of the last week, to be sent to /invocations. `series/` holds the same series point by point,
for jobs that leave the shingles to sagedock: `train/taxi.csv`, `test/taxi.csv`, `timestamps/timestamps.txt` and
`request.csv`. `stream/` is for a job that goes on learning: `train/taxi.csv` holds the first two months,
`test/taxi.csv` and `timestamps/timestamps.txt` what came then, `request.csv` the last week, which is in neither.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.files import make_directory, write_text
from sagedock.errors import SagedockError, UserError

RAW_DATA = Path(__file__).with_name("nyc_taxi.csv")
WINDOWS = Path(__file__).with_name("windows.csv")
STEP = timedelta(minutes=30)
SHINGLE = 48
"""Half hours of a day."""
WEEK = 7 * SHINGLE
TWO_MONTHS = 62 * SHINGLE
"""July and August."""


@dataclass(frozen=True)
class Window:
    """When something out of the ordinary happened; both ends belong to it."""

    event: str
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Series:
    """Taxi passengers in each half hour: `counts` (points,), and when each half hour began."""

    timestamps: Sequence[datetime]
    counts: NDArray[np.int64]

    def labels(self, windows: Sequence[Window]) -> NDArray[np.int64]:
        """1 for each point within a window, else 0: (points,)."""
        return np.array([int(any(w.begin <= time <= w.end for w in windows)) for time in self.timestamps])


def read(file: Path) -> Series:
    """Read `timestamp,value` rows.

    Raises UserError naming the line whose cells are no time and no whole number, or that does not follow the line
    before by half an hour.
    """
    rows = _rows(file, ["timestamp", "value"])
    times = [_time(file, line, cells[0]) for line, cells in rows]
    for (before, after), (line, _) in zip(pairwise(times), rows[1:], strict=True):
        if after - before != STEP:
            raise UserError(f"{file}, line {line}: {after} does not follow {before} by half an hour", row=line)
    return Series(times, np.array([_count(file, line, cells[1]) for line, cells in rows]))


def read_windows(file: Path) -> list[Window]:
    """Read `event,begin,end` rows. Raises UserError naming the line that is wrong."""
    windows = []
    for line, (event, begin, end) in _rows(file, ["event", "begin", "end"]):
        window = Window(event, _time(file, line, begin), _time(file, line, end))
        if window.end < window.begin:
            raise UserError(f"{file}, line {line}: the window ends before it begins", row=line)
        windows.append(window)
    return windows


def shingled(values: NDArray[np.int64], size: int = SHINGLE) -> NDArray[np.int64]:
    """Every window of `size` points, oldest first: (points - size + 1, size), the last one too."""
    if len(values) < size:
        raise UserError(f"{len(values)} points are too few for windows of {size}")
    return np.lib.stride_tricks.sliding_window_view(values, size)


def prepare(data: Path, windows: Path, directory: Path) -> tuple[Series, NDArray[np.int64]]:
    """Read, label and write: the whole preparation. Returns the series and its labels."""
    series = read(data)
    labels = series.labels(read_windows(windows))
    rows = shingled(series.counts)
    within = (shingled(labels).sum(axis=1) >= SHINGLE / 2).astype(np.int64)
    names = [f"{SHINGLE - 1 - column} half hours before" for column in range(SHINGLE)]
    write_text(make_directory(directory / "feature-names") / "feature-names.txt", "".join(f"{n}\n" for n in names))
    _write_channels(directory, rows, within, series.timestamps[SHINGLE - 1 :])
    _write_channels(directory / "series", series.counts[:, None], labels, series.timestamps)
    _write_stream(directory / "stream", series, labels)
    return series, labels


def _write_channels(
    directory: Path, rows: NDArray[np.int64], labels: NDArray[np.int64], timestamps: Sequence[datetime]
) -> None:
    """Write train, test, timestamps and a request of the last week, from rows (points, columns)."""
    _write(directory / "train" / "taxi.csv", rows)
    _write(directory / "test" / "taxi.csv", np.column_stack([labels, rows]))
    _write(directory / "request.csv", rows[-WEEK:])
    _write_times(directory, timestamps)


def _write_stream(directory: Path, series: Series, labels: NDArray[np.int64]) -> None:
    """Write the series in three: what is known at first, what is followed, and what a server is asked then."""
    counts, first = series.counts[:, None], min(TWO_MONTHS, len(labels) // 3)
    end = max(first, len(labels) - WEEK)
    _write(directory / "train" / "taxi.csv", counts[:first])
    _write(directory / "test" / "taxi.csv", np.column_stack([labels, counts])[first:end])
    _write(directory / "request.csv", counts[end:])
    _write_times(directory, series.timestamps[first:end])


def _write_times(directory: Path, timestamps: Sequence[datetime]) -> None:
    times = "".join(f"{time}\n" for time in timestamps)
    write_text(make_directory(directory / "timestamps") / "timestamps.txt", times)


def summary(series: Series, labels: NDArray[np.int64]) -> str:
    """The size of what was written."""
    return (
        f"series     {len(series.counts):,} half hours from {series.timestamps[0]}, {labels.sum():,} of them labelled\n"
        f"shingled   {len(series.counts) - SHINGLE + 1:,} days of {SHINGLE} half hours"
    )


def _rows(file: Path, header: Sequence[str]) -> list[tuple[int, list[str]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            found = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} is not a CSV file in UTF-8: {error}") from error
    if found != list(header):
        raise UserError(f"{file}, line 1: the header must be {','.join(header)}, got {','.join(found)!r}", row=1)
    if not rows:
        raise UserError(f"{file} has a header but no rows below it")
    for line, cells in rows:
        if len(cells) != len(header):
            raise UserError(f"{file}, line {line}: expected {len(header)} cells, got {len(cells)}", row=line)
    return rows


def _time(file: Path, line: int, text: str) -> datetime:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S")
    except ValueError as error:
        raise UserError(f"{file}, line {line}: {text!r} is no time such as 2014-07-01 00:30:00", row=line) from error


def _count(file: Path, line: int, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UserError(
            f"{file}, line {line}: value is {text!r}, not a whole number", field="value", row=line
        ) from error


def _write(file: Path, rows: NDArray[np.int64]) -> None:
    make_directory(file.parent)
    write_text(file, "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()))


def main(arguments: Sequence[str]) -> int:
    """Prepare, print the sizes and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="prepare.py", description="Turn the raw taxi series into the channels of a training job."
    )
    parser.add_argument("directory", type=Path, help="where the channels are made")
    parser.add_argument("--data", type=Path, default=RAW_DATA, help="the raw series (default: the one shipped)")
    parser.add_argument("--windows", type=Path, default=WINDOWS, help="labelled windows (default: the ones shipped)")
    given = parser.parse_args(arguments)
    try:
        print(summary(*prepare(given.data, given.windows, given.directory)))
    except SagedockError as error:
        print(f"prepare.py: {error}", file=sys.stderr)
        return 1
    print(f"written to {given.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
