"""Documents from the channels of a training job: counts in recordio-protobuf, sparse or dense, or in CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from sagedock.contracts.channels import Channel, Source
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import recordio
from sagedock.formats.blocks import GrowingArray
from sagedock.formats.media_types import CSV, RECORDIO, MediaType, parse_media_type
from sagedock.formats.records import read_record
from sagedock.formats.rows import DenseRow, SparseRow
from sagedock.formats.table import Part
from sagedock.formats.training import read_parts
from sagedock.topics.counts import explained, first_wrong
from sagedock.topics.documents import Documents

_RECORDS_AT_ONCE = 1024


def read(channel: Channel, feature_dim: int, *, shard: bool = False) -> Documents:
    """Every document of a channel, in order; memory grows with the counts that are not zero.

    With `shard`, on one of several hosts, a channel may hold no documents here. Raises UserError naming file and record
    for a count that is negative, no whole number or not finite, an index that is not below `feature_dim`, a row of
    another width, and for a channel without documents.
    """
    if shard and channel.input_mode == "File" and not channel.files():
        return Documents.of_rows([], feature_dim)
    media_type = parse_media_type(channel.content_type or RECORDIO)
    gathered = _Gathered(feature_dim)
    for part in _parts(_unwrapped(channel), media_type, feature_dim):
        gathered.add(part)
    documents = gathered.documents()
    if not documents.rows and not shard:
        raise UserError(f"the {channel.name} channel holds no documents: give it one at least", field=channel.name)
    return documents


def _unwrapped(channel: Channel) -> Iterable[Source]:
    sources = channel.sources()
    return recordio.unwrapped(sources) if channel.record_wrapper == "RecordIO" else sources


class _Gathered:
    """Documents put together where they grow, so that they are never held twice."""

    def __init__(self, feature_dim: int) -> None:
        self._feature_dim = feature_dim
        self._sizes = GrowingArray(dtype=np.int64)
        self._words = GrowingArray(dtype=np.int32)
        self._counts = GrowingArray()

    def add(self, part: Documents) -> None:
        self._sizes.append(np.diff(part.starts))
        self._words.append(part.words)
        self._counts.append(part.counts)

    def documents(self) -> Documents:
        sizes = self._sizes.finished()
        starts = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(sizes, out=starts[1:])
        return Documents(starts, self._words.finished(), self._counts.finished(), self._feature_dim)


def _parts(sources: Iterable[Source], media_type: MediaType, feature_dim: int) -> Iterator[Documents]:
    if media_type.essence == CSV:
        for part in read_parts(sources, media_type, feature_dim, labelled=False):
            yield _counted(part)
    elif media_type.essence == RECORDIO:
        for source in sources:
            yield from _records(source, feature_dim)
    else:
        raise UnsupportedMediaType(
            f"counts of type {media_type.essence!r} are not read: declare the channel's ContentType as {RECORDIO} or "
            f"{CSV}"
        )


def _counted(part: Part) -> Documents:
    """The documents of dense rows. Raises UserError."""
    matrix = part.table.dense
    documents = Documents.of_dense(matrix)  # NaN is not zero, so that it is among the counts
    wrong = first_wrong(documents.counts)
    if wrong is not None:
        row = int(np.searchsorted(documents.starts, wrong, side="right")) - 1
        place = part.place(row, int(documents.words[wrong]))
        raise UserError(f"{place}: {explained(float(documents.counts[wrong]))}")
    return documents


def _records(source: Source, feature_dim: int) -> Iterator[Documents]:
    with source.open() as stream:
        frames = enumerate(recordio.read(stream, source.name), start=1)
        while some := list(islice(frames, _RECORDS_AT_ONCE)):
            rows = []
            for number, frame in some:
                place = f"{source.name}, record {number} at byte {frame.offset}"
                rows.append(_row(read_record(frame.payload, place, number)[0], place, feature_dim))
            yield Documents.of_rows(rows, feature_dim)


def _row(row: DenseRow | SparseRow, place: str, feature_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Words and counts of a record at `place`. Raises UserError."""
    if isinstance(row, SparseRow):
        words, counts, width = np.asarray(row.keys, np.int64), np.asarray(row.values), row.width
        if len(words) and words.max() >= feature_dim:
            raise UserError(
                f"{place}: the index {words.max()} is not below feature_dim, which is {feature_dim}: words are "
                f"numbered from 0 to feature_dim - 1; give indices that fit, or raise feature_dim"
            )
    else:
        counts, width = np.asarray(row), len(row)
        words = np.flatnonzero(counts)
        counts = counts[words]
    if width != feature_dim:
        raise UserError(f"{place}: expected {feature_dim} features (feature_dim), got {width}: make the two agree")
    wrong = first_wrong(counts)
    if wrong is not None:
        raise UserError(f"{place}, word {words[wrong]}: {explained(float(counts[wrong]))}")
    return words, counts
