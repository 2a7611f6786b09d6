"""Turn the raw hourly load of three regions into the channels of a training job, and into requests.

    python containers/forecasting/prepare.py DIRECTORY [--data FILE] [--days DAYS]

writes, below DIRECTORY, `train/load.json`, the load of each region but for the last DAYS days; `test/load.json`, each
region's load up to the end of each of those days, so that each day is forecast from what was known the evening before;
`request.json`, to be sent to /invocations, which asks for the day that follows the last; and `batch.json`, the same
series, one a line, for a transform job.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sagedock.algorithms.deepar.conversion import MEAN, Plan, to_records
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.long_table import Columns
from sagedock.contracts.files import make_directory, write_text
from sagedock.errors import SagedockError, UserError

RAW_DATA = Path(__file__).with_name("load.csv")
COLUMNS = Columns(item="region", time="time", target="megawatts", categories=("region",))
DAY = 24
DAYS = 7
"""How many days are judged."""

Record = dict[str, Any]


def read(file: Path) -> list[Record]:
    """The load of each region as a record. An hour that stands twice, when summer time ends, is its mean; one that is
    left out, when it begins, is missing. Raises UserError naming the row that is wrong.
    """
    with TemporaryDirectory() as folder:
        lines = Path(folder) / "load.json"
        to_records(file, lines, Plan(Frequency.parse("H"), COLUMNS, duplicates=MEAN))
        return [json.loads(line) for line in lines.read_text().splitlines()]


def cut(record: Record, hours: int) -> Record:
    """The record without its last `hours`."""
    return {**record, "target": record["target"][: len(record["target"]) - hours]}


def prepare(data: Path, directory: Path, days: int = DAYS) -> list[Record]:
    """Read, cut and write: the whole preparation. Returns the records of the regions."""
    records = read(data)
    for record in records:
        if len(record["target"]) <= days * DAY:
            raise UserError(f"{data}: {record['item']} has {len(record['target'])} hours, no more than the {days} days")
    rolled = [cut(record, DAY * ago) for ago in range(days) for record in records]
    _write(directory / "train" / "load.json", [cut(record, DAY * days) for record in records])
    _write(directory / "test" / "load.json", rolled)
    asked = [{name: record[name] for name in ("start", "target", "cat")} for record in records]
    request = {"instances": asked, "configuration": {"num_samples": 100, "quantiles": ["0.1", "0.5", "0.9"]}}
    write_text(directory / "request.json", json.dumps(request))
    _write(
        directory / "batch.json",
        [{**each, "region": record["item"]} for each, record in zip(asked, records, strict=True)],
    )
    return records


def summary(records: Sequence[Record], days: int = DAYS) -> str:
    """The size of what was written."""
    return "\n".join(
        f"{record['item']:10}{len(record['target']):,} hours from {record['start']}, "
        f"{sum(value is None for value in record['target'])} missing, the last {days} days to be judged by"
        for record in records
    )


def _write(file: Path, records: Sequence[Record]) -> None:
    make_directory(file.parent)
    write_text(file, "".join(json.dumps(record) + "\n" for record in records))


def main(arguments: Sequence[str]) -> int:
    """Prepare, print the sizes and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="prepare.py", description="Turn the raw hourly load into the channels of a training job."
    )
    parser.add_argument("directory", type=Path, help="where the channels are made")
    parser.add_argument("--data", type=Path, default=RAW_DATA, help="the raw load (default: the one shipped)")
    parser.add_argument("--days", type=int, default=DAYS, help="last days that forecasts are judged by (default: 7)")
    given = parser.parse_args(arguments)
    try:
        print(summary(prepare(given.data, given.directory, given.days), given.days))
    except SagedockError as error:
        print(f"prepare.py: {error}", file=sys.stderr)
        return 1
    print(f"written to {given.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
