"""Turn the raw churn table into the channels of a training job, as AWS's churn workshop does.

    python containers/churn/prepare.py DIRECTORY [--data FILE]

writes, below DIRECTORY, the channels `train/train.csv` and `validation/validation.csv` (label first, no header) and
`feature-names/feature-names.txt` (a line for each feature column), and beside them `test/test.csv` (the customers held
back, as in the channels) and `test/features.csv` (the same without their labels, ready to be sent to /invocations).
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.files import make_directory, replacing, write_text
from sagedock.errors import SagedockError, UserError

RAW_DATA = Path(__file__).with_name("churn.txt")

LABEL = "Churn?"
CLASSES = ("False.", "True.")
CATEGORICAL = ("State", "Area Code", "Int'l Plan", "VMail Plan")
NUMERIC = (
    "Account Length",
    "VMail Message",
    "Day Mins",
    "Day Calls",
    "Eve Mins",
    "Eve Calls",
    "Night Mins",
    "Night Calls",
    "Intl Mins",
    "Intl Calls",
    "CustServ Calls",
)
DROPPED = ("Phone", "Day Charge", "Eve Charge", "Night Charge", "Intl Charge")
"""A phone number only names its customer; each charge is its minutes times a fixed price."""
USED = (*NUMERIC, *CATEGORICAL, LABEL)

SEED = 1729
TRAIN_SHARE, TRAIN_AND_VALIDATION_SHARE = 0.7, 0.9


@dataclass(frozen=True)
class Customers:
    """Prepared customers: `labels` (rows,) with 1 for who left, `features` (rows, columns), `names` of the columns."""

    labels: NDArray[np.float64]
    features: NDArray[np.float64]
    names: Sequence[str]

    def take(self, rows: NDArray[np.intp]) -> Customers:
        """The customers of these row numbers, in this order."""
        return Customers(self.labels[rows], self.features[rows], self.names)


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Split:
    """Who is learnt from, who the cut-off is chosen on, and who is held back until the end."""

    train: Customers
    validation: Customers
    test: Customers


def read(file: Path) -> Customers:
    """Read the raw table and encode it: numeric columns first, then one 0/1 column for each value of a category.

    The order is that of pandas' get_dummies: categories in the order of their columns, their values sorted. Raises
    UserError naming the line and column of whatever does not fit.
    """
    rows = _rows(file)
    labels = np.array([float(CLASSES.index(row.cells[LABEL])) for row in rows])
    names = list(NUMERIC)
    features = [np.array([_number(file, row, name) for row in rows]) for name in NUMERIC]
    for name in CATEGORICAL:
        for value in sorted({row.cells[name] for row in rows}):
            names.append(f"{name}_{value}")
            features.append(np.array([float(row.cells[name] == value) for row in rows]))
    return Customers(labels, np.column_stack(features), tuple(names))


def split(customers: Customers) -> Split:
    """Shuffle with seed 1729 and cut at 70 and 90 percent.

    RandomState's permutation is what pandas' sample(frac=1, random_state=1729) draws, so the rows fall as they do in
    the workshop. Raises UserError when there are too few rows for three parts.
    """
    rows = len(customers.labels)
    order = np.random.RandomState(SEED).permutation(rows)
    train, validation, test = np.split(order, [int(TRAIN_SHARE * rows), int(TRAIN_AND_VALIDATION_SHARE * rows)])
    if not (len(train) and len(validation) and len(test)):
        raise UserError(f"{rows} customers are too few for a 70/20/10 split: give at least 4 rows")
    return Split(customers.take(train), customers.take(validation), customers.take(test))


def write_channels(parts: Split, directory: Path) -> None:
    """Write the channels train, validation and feature-names below `directory`, each file whole."""
    for name, part in (("train", parts.train), ("validation", parts.validation)):
        _write_csv(make_directory(directory / name) / f"{name}.csv", np.column_stack([part.labels, part.features]))
    names = "".join(f"{name}\n" for name in parts.train.names)
    write_text(make_directory(directory / "feature-names") / "feature-names.txt", names)


def write_test(test: Customers, directory: Path) -> None:
    """Write test.csv and features.csv into `directory`, each file whole."""
    make_directory(directory)
    _write_csv(directory / "test.csv", np.column_stack([test.labels, test.features]))
    _write_csv(directory / "features.csv", test.features)


def prepare(file: Path, directory: Path) -> Split:
    """Read, split and write: the whole preparation."""
    parts = split(read(file))
    write_channels(parts, directory)
    write_test(parts.test, directory / "test")
    return parts


def summary(parts: Split) -> str:
    """The sizes of the three parts, one line each."""
    lines = []
    for name in ("train", "validation", "test"):
        part: Customers = getattr(parts, name)
        left = int(part.labels.sum())
        lines.append(f"{name:<10} {len(part.labels):>5,} customers, {left:>3,} of them left")
    return "\n".join([*lines, f"{len(parts.train.names)} feature columns"])


def _rows(file: Path) -> list[_Row]:
    """The rows of the table, every cell checked for presence and every label for its class."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            header = [name.strip() for name in next(reader, [])]
            _check_header(file, header)
            rows = [_row(file, reader.line_num, header, cells) for cells in reader if cells]
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} is not a CSV file in UTF-8: {error}") from error
    if not rows:
        raise UserError(f"{file} has a header but no customers below it")
    return rows


def _check_header(file: Path, header: Sequence[str]) -> None:
    if not any(header):
        raise UserError(f"{file} is empty: its first line must be a header with {_listed(USED)}")
    missing = [name for name in USED if name not in header]
    if missing:
        raise UserError(f"{file}, line 1: the header lacks {_listed(missing)}", field=missing[0], row=1)
    unknown = [name for name in header if name not in (*USED, *DROPPED)]
    if unknown:
        raise UserError(
            f"{file}, line 1: the header has {_listed(unknown)}, which the workshop's table has not: remove it, or add "
            "it to NUMERIC, CATEGORICAL or DROPPED in prepare.py",
            field=unknown[0],
            row=1,
        )
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise UserError(f"{file}, line 1: the header has {twice!r} twice", field=twice, row=1)


def _row(file: Path, line: int, header: Sequence[str], cells: Sequence[str]) -> _Row:
    if len(cells) != len(header):
        raise UserError(
            f"{file}, line {line}: expected {len(header)} cells as in the header, got {len(cells)}", row=line
        )
    row = _Row(line, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
    for name in USED:
        if not row.cells[name]:
            raise UserError(f"{file}, line {line}: {name} is empty", field=name, row=line)
    if row.cells[LABEL] not in CLASSES:
        raise UserError(
            f"{file}, line {line}: {LABEL} is {row.cells[LABEL]!r}, allowed are {_listed(CLASSES)}",
            field=LABEL,
            row=line,
        )
    return row


def _number(file: Path, row: _Row, name: str) -> float:
    try:
        value = float(row.cells[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(
            f"{file}, line {row.line}: {name} is {row.cells[name]!r}, expected a number", field=name, row=row.line
        )
    return value


def _write_csv(file: Path, values: NDArray[np.float64]) -> None:
    with replacing(file) as temporary, temporary.open("w", encoding="ascii") as lines:
        lines.writelines(",".join(_text(cell) for cell in row) + "\n" for row in values.tolist())


def _text(value: float) -> str:
    """The shortest text that reads back as `value`."""
    return str(int(value)) if value.is_integer() else repr(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def main(arguments: Sequence[str]) -> int:
    """Prepare, print the sizes and return the exit code."""
    parser = argparse.ArgumentParser(prog="prepare.py", description="Turn the raw churn table into training channels.")
    parser.add_argument(
        "directory", type=Path, help="where train/, validation/, feature-names/ and test/ are to be written"
    )
    parser.add_argument(
        "--data", type=Path, default=RAW_DATA, help="the raw table (default: churn.txt beside this script)"
    )
    options = parser.parse_args(arguments)
    try:
        parts = prepare(options.data, options.directory)
    except SagedockError as error:
        print(f"prepare.py: {error}", file=sys.stderr)
        return 1
    print(summary(parts))
    print(f"written to {options.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
