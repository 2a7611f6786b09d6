"""The series of a channel: JSON Lines, plain or gzip, and Parquet, read into arrays.

The kind of a file follows from the end of its name, then from the channel's ContentType, then from its first bytes
(developer guide, "Input/Output Interface for the DeepAR Algorithm").
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import parquet_records, record
from sagedock.algorithms.deepar.frequency import Frequency, moment
from sagedock.algorithms.deepar.hyperparameters import AUTO, IGNORE
from sagedock.algorithms.deepar.layout import Layout, Place
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.contracts.channels import Channel, Source
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError
from sagedock.formats import instances
from sagedock.formats.blocks import LONGEST_LINE, GrowingArray
from sagedock.formats.media_types import GZIPPED_JSON, JSON_LINES, PARQUET, parse_media_type

log = logging.getLogger(__name__)


_ENDS = {".json": JSON_LINES, ".json.gz": GZIPPED_JSON, ".parquet": PARQUET}
_BEGINNINGS = {b"\x1f\x8b": GZIPPED_JSON, b"PAR1": PARQUET}
_LEFT_OUT = "_SUCCESS"
"""What Hadoop and Spark leave beside their files."""

_A_LINE = (
    'a line is a series, such as {"start": "2024-01-01 00:00:00", "target": [5, null, 7]}, and sagedock convert makes '
    "such lines of a table"
)


@dataclass(frozen=True)
class Data:
    """The series of a channel; `layout` says what each has, with the cardinality that they show.

    `files` are those read; `places` are the file of each series and its line or row, from 1.
    """

    series: SeriesList
    layout: Layout
    files: tuple[str, ...]
    places: NDArray[np.int64]

    def place(self, number: int) -> str:
        """Where a series stands, for messages."""
        file, row = self.places[number]
        return f"{self.files[file]}, line {row}"


def read(channel: Channel, values: Values, trained: Layout | None = None) -> Data:
    """Every series of a channel. `trained` is the layout of the train channel, for the test channel.

    Raises UserError naming file, line and field of what is no series, and what is right.
    """
    sources = [source for source in channel.sources() if source.path is None or source.path.name != _LEFT_OUT]
    records = chain.from_iterable(_records(source, number, channel) for number, source in enumerate(sources))
    first = next(records, None)
    if first is None:
        raise UserError(f"no records in the {channel.name} channel {channel.path}: give one series a line")
    layout = trained or _layout(values, first)
    gathered = _gathered(chain([first], records), layout)
    if trained is None and layout.categories and layout.cardinality is None:
        found = tuple(int(most) + 1 for most in gathered[0].cat.max(axis=0))
        layout = replace(layout, cardinality=found, inferred=True)
    return Data(gathered[0], layout, tuple(source.name for source in sources), gathered[1])


@dataclass(frozen=True)
class Raw:
    """A record before its fields are looked at: what JSON says, or a row of Parquet; `file` counts the sources."""

    content: Any
    place: Place
    file: int

    def present(self, field: str) -> int:
        """How much of cat or dynamic_feat there is."""
        if isinstance(self.content, parquet_records.Row):
            return self.content.present(field)
        return record.present(self.content, field) if isinstance(self.content, dict) else 0

    def moved(self, layout: Layout) -> bool:
        """Whether the start, which is one, lies within a period, and so is taken for earlier than it is."""
        parquet = isinstance(self.content, parquet_records.Row)
        start: Any = self.content.start if parquet else self.content["start"]
        return not layout.frequency.fits(start if isinstance(start, datetime) else moment(start))

    def series(self, layout: Layout) -> Series:
        """The series that it is; raises UserError."""
        if isinstance(self.content, parquet_records.Row):
            return self.content.series(layout, self.place)
        return record.read(self.content, layout, self.place)


def _layout(values: Values, first: Raw) -> Layout:
    """What records have, as the hyperparameters say, and the first record where they say auto."""
    cardinality, features = values["cardinality"], values["num_dynamic_feat"]
    listed = isinstance(cardinality, tuple)
    return Layout(
        frequency=Frequency.parse(values["time_freq"]),
        prediction_length=values["prediction_length"],
        likelihood=values["likelihood"],
        categories=len(cardinality) if listed else _inferred(cardinality, first.present("cat")),
        features=_inferred(features, first.present("dynamic_feat")),
        cardinality=cardinality if listed else None,
    )


def _inferred(given: Any, found: int) -> int | None:
    if given == IGNORE:
        return None
    return found if given == AUTO else cast("int", given)


def _gathered(records: Iterator[Raw], layout: Layout) -> tuple[SeriesList, NDArray[np.int64]]:
    """The series in arrays that grow where they stand, and (N, 2) the file and row of each."""
    categories, features = layout.categories or 0, layout.features or 0
    target, covariates = GrowingArray(), GrowingArray(features)
    facts, cats = GrowingArray(4, np.int64), GrowingArray(categories, np.int32)
    moved: list[Place] = []
    for raw in records:
        series = raw.series(layout)
        target.append(series.target)
        if features:
            covariates.append(series.dynamic_feat.T)
        facts.append(np.array([[series.start, len(series), raw.file, raw.place.row]]))
        if categories:
            cats.append(series.cat[None])
        if raw.moved(layout):
            moved.append(raw.place)
    _warn_of_moved(moved, layout)
    found = facts.finished()
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(found[:, 1])])
    whole = SeriesList(
        layout.frequency,
        found[:, 0],
        ends,
        target.finished(),
        cats.finished() if categories else np.empty((len(found), 0), np.int32),
        covariates.finished() if features else np.empty((ends[-1], 0), np.float32),
    )
    return whole, found[:, 2:]


def _warn_of_moved(places: Sequence[Place], layout: Layout) -> None:
    if places:
        text = "%d series start within a period of %s, the first in %s: they are taken to start where it begins"
        log.warning(text, len(places), layout.frequency, places[0].text)


def _records(source: Source, number: int, channel: Channel) -> Iterator[Raw]:
    kind = _kind(source, channel)
    with source.open() as stream:
        if kind == PARQUET:
            rows = parquet_records.rows(stream, source.name)
            yield from (Raw(row, Place(f"{source.name}, row {row.number}", row.number), number) for row in rows)
        elif kind == GZIPPED_JSON:
            with gzip.open(stream) as unzipped:
                yield from _lines(cast("BinaryIO", unzipped), source, number)
        else:
            yield from _lines(stream, source, number)


def _kind(source: Source, channel: Channel) -> str:
    name = source.name.lower()
    for end, kind in _ENDS.items():
        if name.endswith(end):
            return kind
    if channel.content_type is not None:
        return parse_media_type(channel.content_type).essence
    with source.open() as stream:
        beginning = stream.read(4)
    return next((kind for magic, kind in _BEGINNINGS.items() if beginning.startswith(magic)), JSON_LINES)


def _lines(stream: BinaryIO, source: Source, file: int) -> Iterator[Raw]:
    row = 0
    try:
        while line := stream.readline(LONGEST_LINE):
            row += 1
            if len(line) == LONGEST_LINE:
                raise UserError(
                    f"{source.name}, line {row}: longer than {LONGEST_LINE >> 20} MiB: give a series a line"
                )
            if not line.isspace():
                yield Raw(_value(line, row, place := f"{source.name}, line {row}"), Place(place, row), file)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{source.name}, after line {row}: not gzip, or damaged ({error}): send it again") from error


def _value(line: bytes, row: int, place: str) -> Any:
    try:
        return instances.value_of(line, row, place)
    except UserError as error:
        raise UserError(f"{error}; {_A_LINE}", row=row) from error
