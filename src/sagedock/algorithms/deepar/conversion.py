"""From long tables to records of DeepAR's channels, and back.

A record keeps the item's name, its categories and the features' names under keys that training ignores, so that the way
back needs nothing else, and a batch can repeat the item beside its forecast (DEEPAR_FORWARDED_FIELDS).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from sagedock.algorithms.deepar import frequency as frequencies
from sagedock.algorithms.deepar import long_table
from sagedock.algorithms.deepar.frequency import MONTH, WEEK, Frequency
from sagedock.algorithms.deepar.long_table import Columns, LongTable
from sagedock.contracts.files import replacing
from sagedock.errors import UserError
from sagedock.formats import instances

ITEM, CATEGORIES, FEATURES = "item", "categories", "features"
"""The keys of a record that training ignores."""

GZIP_END = ".json.gz"
MOST_POINTS = 200_000_000
_FLOORED = frozenset({WEEK, MONTH})
"""Tables name a week or a month by any of its days."""

REFUSE, FIRST, LAST, MEAN, SUM = "refuse", "first", "last", "mean", "sum"
DUPLICATES = (REFUSE, FIRST, LAST, MEAN, SUM)


@dataclass(frozen=True)
class Plan:
    """How a table becomes records. `floor` takes every time for the period that it lies in; `future` last rows of each
    item, whose target is not known, are there for their features.
    """

    frequency: Frequency
    columns: Columns = field(default_factory=Columns)
    duplicates: str = REFUSE
    floor: bool = False
    future: int = 0


@dataclass(frozen=True)
class _Item:
    """The rows of one item in order of time: positions in the table, and the step of each, from 0."""

    name: str
    start: int
    rows: NDArray[np.int64]
    steps: NDArray[np.int64]

    @property
    def length(self) -> int:
        return int(self.steps[-1]) + 1


def convert(
    source: Path,
    result: Path,
    freq: str,
    named: Mapping[str, Any],
    *,
    duplicates: str = REFUSE,
    floor: bool = False,
    future: int = 0,
) -> str:
    """Turn a table into records or, where the source's name ends in .json or .json.gz, records into a table.

    `named` are the columns: item, time, target, and lists of feature and category. Returns what was written, in words.
    """
    try:
        frequency = Frequency.parse(freq)
    except ValueError as error:
        raise UserError(f"--freq {freq!r}: {error}", field="--freq") from error
    features, categories = tuple(named["feature"]), tuple(named["category"])
    columns = Columns(named["item"] or None, named["time"], named["target"], features, categories)
    if source.name.lower().endswith((".json", GZIP_END)):
        series, rows = to_table(source, result, frequency, columns)
        return f"{rows:,} rows of {series:,} series"
    series, points = to_records(source, result, Plan(frequency, columns, duplicates, floor, future))
    return f"{series:,} series of {points:,} points"


def to_records(source: Path, target: Path, plan: Plan) -> tuple[int, int]:
    """Write a long table as JSON Lines, gzip where the name ends so; series and points written.

    Steps without a row are missing. Raises UserError naming the row of what does not fit: times between periods or
    beside the steps of a series, an item's time that stands twice, categories that change, features that are missing.
    """
    table = LongTable.read(source, plan.columns)
    if not len(table.times):
        raise UserError(f"{source} has no rows: give one for each item and time")
    items = list(_items(table, plan))
    points = sum(item.length for item in items)
    if points > MOST_POINTS:
        raise UserError(
            f"{source} would become {points} points of {plan.frequency} for {len(table.times)} rows: check the "
            "frequency"
        )
    codes = {name: np.unique(values, return_inverse=True)[1] for name, values in table.categories.items()}
    with replacing(target) as temporary, _opened(temporary, target) as stream:
        for item in items:
            stream.write(orjson.dumps(_record(item, table, codes, plan), option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
    return len(items), points


def to_table(source: Path, target: Path, frequency: Frequency, columns: Columns) -> tuple[int, int]:
    """Write records, JSON Lines or gzip, as a long table; series and rows written. What is missing is empty.

    Raises UserError naming the line that is no record.
    """
    gathered: dict[str, list[Any]] = {}
    series = rows = 0
    for row, record in _read(source):
        found = _rows(record, row, source, frequency, columns, f"series {row}")
        series, rows = series + 1, rows + len(found[columns.time])
        for name, values in found.items():
            gathered.setdefault(name, []).append(values)
    if not series:
        raise UserError(f"{source} has no records")
    lengths = {name: len(values) for name, values in gathered.items()}
    odd = [name for name, length in lengths.items() if length != series]
    if odd:
        raise UserError(f"{source}: {odd[0]} is in some records only: a table needs it in every one or in none")
    long_table.write(target, {name: np.concatenate(values) for name, values in gathered.items()})
    return series, rows


def _items(table: LongTable, plan: Plan) -> Iterator[_Item]:
    ordinals = _ordinals(table, plan)
    names, codes = np.unique(table.items, return_inverse=True)
    order = np.lexsort((ordinals, codes))
    ends = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for number, name in enumerate(names.tolist()):
        rows = order[ends[number] : ends[number + 1]]
        start = int(ordinals[rows[0]])
        passed = ordinals[rows] - start
        _require_steps(table, rows, passed, plan)
        yield _Item(name, start, rows, passed // plan.frequency.multiple)


def _ordinals(table: LongTable, plan: Plan) -> NDArray[np.int64]:
    """The period of each row's time. Raises UserError for one that lies between two, unless such may be floored."""
    ordinals = plan.frequency.ordinals(table.times)
    if not plan.floor and plan.frequency.unit not in _FLOORED:
        begins = plan.frequency.moments(ordinals).astype("datetime64[s]")
        between = np.flatnonzero(begins != table.times)
        if len(between):
            position = int(between[0])
            table.refuse(
                position,
                plan.columns.time,
                f"{_text(table.times[position])} lies within a period of {plan.frequency}, which begins at "
                f"{_text(begins[position])}: give the frequency that the times have, or floor them",
            )
    return ordinals


def _require_steps(table: LongTable, rows: NDArray[np.int64], passed: NDArray[np.int64], plan: Plan) -> None:
    beside = np.flatnonzero(passed % plan.frequency.multiple)
    if len(beside):
        first, wrong = int(rows[0]), int(rows[beside[0]])
        table.refuse(
            wrong,
            plan.columns.time,
            f"{_text(table.times[wrong])} is no whole number of steps of {plan.frequency} behind the series' first, "
            f"{_text(table.times[first])} in row {table.row(first)}: the frequencies are mixed, or another one",
        )
    twice = np.flatnonzero(np.diff(passed) == 0)
    if len(twice) and plan.duplicates == REFUSE:
        before, again = int(rows[twice[0]]), int(rows[twice[0] + 1])
        table.refuse(
            again,
            plan.columns.time,
            f"{_text(table.times[again])} stands for this item in row {table.row(before)} already: remove one, or say "
            f"which counts ({', '.join(DUPLICATES[1:])})",
        )


def _record(item: _Item, table: LongTable, codes: Mapping[str, NDArray[Any]], plan: Plan) -> dict[str, Any]:
    known = max(0, item.length - plan.future)
    record: dict[str, Any] = {"start": plan.frequency.text(item.start), "target": _target(item, table, plan)[:known]}
    if codes:
        record["cat"] = [_same(item, table, name, values) for name, values in codes.items()]
        record[CATEGORIES] = {name: str(values[item.rows[0]]) for name, values in table.categories.items()}
    if table.features:
        record["dynamic_feat"] = [_feature(item, table, name, plan) for name in table.features]
        record[FEATURES] = list(table.features)
    if plan.columns.item is not None:
        record[ITEM] = item.name
    return record


def _target(item: _Item, table: LongTable, plan: Plan) -> NDArray[np.float64]:
    """The target of each step, NaN where there is none, of several rows of a step what the plan says."""
    values = table.target[item.rows]
    found = np.full(item.length, np.nan)
    if plan.duplicates in {MEAN, SUM}:
        known = ~np.isnan(values)
        sums = np.bincount(item.steps[known], values[known], item.length)
        counts = np.bincount(item.steps[known], minlength=item.length)
        divisor = np.maximum(counts, 1) if plan.duplicates == MEAN else 1
        return np.where(counts > 0, sums / divisor, np.nan)
    last = slice(None) if plan.duplicates != FIRST else slice(None, None, -1)
    found[item.steps[last]] = values[last]  # the later of two assignments to a place holds
    return found


def _feature(item: _Item, table: LongTable, name: str, plan: Plan) -> NDArray[np.float64]:
    values, found = table.features[name][item.rows], np.full(item.length, np.nan)
    last = slice(None) if plan.duplicates != FIRST else slice(None, None, -1)
    found[item.steps[last]] = values[last]
    missing = np.flatnonzero(np.isnan(found))
    if len(missing):
        moment = plan.frequency.text(item.start + int(missing[0]) * plan.frequency.multiple)
        before = int(item.rows[np.searchsorted(item.steps, missing[0], side="right") - 1])
        table.refuse(
            before,
            name,
            f"{name} has no value at {moment} for this item, here or in the rows that follow: features need one at "
            "every step",
        )
    return found


def _same(item: _Item, table: LongTable, name: str, codes: NDArray[Any]) -> int:
    """The code of the item's category, which is one."""
    found = codes[item.rows]
    other = np.flatnonzero(found != found[0])
    if len(other):
        position = int(item.rows[other[0]])
        first = table.categories[name][item.rows[0]]
        table.refuse(
            position, name, f"{name} is {table.categories[name][position]}, and {first} in another row of this item"
        )
    return int(found[0])


def _rows(
    record: Any, row: int, source: Path, frequency: Frequency, columns: Columns, name: str
) -> dict[str, NDArray[Any]]:
    try:
        begin = frequency.ordinal(frequencies.moment(record["start"]))
        target = _numbers(record["target"])
        features = [_numbers(values) for values in record.get("dynamic_feat") or ()]
        length = max([len(target), *map(len, features)])
        names = record.get(FEATURES) or [f"feature_{number}" for number in range(len(features))]
        categories = record.get(CATEGORIES) or _coded(record.get("cat"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{source}, line {row}: no record ({type(error).__name__}: {error})", row=row) from error
    moments = frequency.moments(frequency.steps(begin, length)).astype("datetime64[s]")
    return {
        columns.item or ITEM: np.full(length, str(record.get(ITEM, name)), object),
        columns.time: np.array([_text(moment) for moment in moments], object),
        columns.target: _padded(target, length),
        **{name: _padded(values, length) for name, values in zip(names, features, strict=True)},
        **{str(name): np.full(length, str(value), object) for name, value in categories.items()},
    }


def _coded(cat: Any) -> dict[str, int]:
    codes = [] if cat is None else cat if isinstance(cat, Sequence) else [cat]
    return {f"cat_{number}": int(code) for number, code in enumerate(codes)}


def _numbers(values: Any) -> NDArray[np.float64]:
    return np.array([np.nan if value == "NaN" else value for value in values], np.float64)


def _padded(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return np.concatenate([values, np.full(length - len(values), np.nan)])


def _text(moment: Any) -> str:
    return str(moment).replace("T", " ")


def _read(source: Path) -> Iterator[tuple[int, Any]]:
    try:
        with gzip.open(source) if source.name.lower().endswith(GZIP_END) else source.open("rb") as stream:
            for row, line in enumerate(stream, start=1):
                if not line.isspace():
                    yield row, instances.value_of(line, row, f"{source}, line {row}")
    except (OSError, EOFError) as error:
        raise UserError(f"cannot read {source}: {error}") from error


def _opened(temporary: Path, target: Path) -> Any:
    return gzip.open(temporary, "wb", 6) if target.name.lower().endswith(GZIP_END) else temporary.open("wb")
