"""Documents from the channels of a training job: counts in recordio-protobuf, sparse or dense, or in CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO, cast

import numpy as np

from sagedock import core
from sagedock.contracts.channels import Channel, Source
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import csv_files, recordio
from sagedock.formats.blocks import Block, GrowingArray
from sagedock.formats.csv import label_columns
from sagedock.formats.media_types import CSV, RECORDIO, MediaType, parse_media_type
from sagedock.formats.records import read_record
from sagedock.formats.table import Part
from sagedock.topics.counts import counted, wrong_count
from sagedock.topics.documents import Documents

BLOCK_BYTES = 1 << 21
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
        layout = csv_files.Layout(labelled=label_columns(media_type, default=0) == 1, weighted=False)
        for source in sources:
            for block, delimiter in csv_files.delimited(source):
                yield _block(source.name, block, delimiter, layout, feature_dim)
    elif media_type.essence == RECORDIO:
        for source in sources:
            yield from _records(source, feature_dim)
    else:
        raise UnsupportedMediaType(
            f"counts of type {media_type.essence!r} are not read: declare the channel's ContentType as {RECORDIO} or "
            f"{CSV}"
        )


def _block(name: str, block: Block, delimiter: str, layout: csv_files.Layout, feature_dim: int) -> Documents:
    """The documents of lines: by the compiled core or, where these are unusual, with care. Raises UserError."""
    if core.native is not None and delimiter == "," and not layout.leading:
        found = core.native.documents(block.memory, "lines", feature_dim)
        if found is not None:
            return Documents(*found, feature_dim)
    return _counted(csv_files.part(name, block, delimiter, layout, feature_dim))


def _counted(part: Part) -> Documents:
    """The documents of dense rows. Raises UserError."""
    documents = Documents.of_dense(part.table.dense)  # NaN is not zero, so that it is among the counts
    wrong = wrong_count(documents)
    if wrong is not None:
        row, word, reason = wrong
        raise UserError(f"{part.place(row, word)}: {reason}")
    return documents


def _records(source: Source, feature_dim: int) -> Iterator[Documents]:
    """The documents of records: by the compiled core up to the first unusual one, from there each parsed with care."""
    with source.open() as stream:
        held, offset, number = stream.read(BLOCK_BYTES), 0, 1
        usual = core.native is not None
        while usual and core.native is not None and held:
            starts, words, counts, used, usual = core.native.document_records(held, feature_dim)
            part = Documents(starts, words, counts, feature_dim)
            yield part
            offset, number = offset + used, number + part.rows
            more = stream.read(BLOCK_BYTES) if usual else b""
            usual = bool(more)
            held = held[used:] + more
        yield from _careful(recordio.Continued(held, stream), source.name, feature_dim, offset, number)


def _careful(stream: recordio.Continued, name: str, feature_dim: int, offset: int, number: int) -> Iterator[Documents]:
    frames = enumerate(recordio.read(cast("BinaryIO", stream), name, offset), start=number)
    while some := list(islice(frames, _RECORDS_AT_ONCE)):
        rows = []
        for position, frame in some:
            place = f"{name}, record {position} at byte {frame.offset}"
            rows.append(counted(read_record(frame.payload, place, position)[0], place, feature_dim, position))
        yield Documents.of_rows(rows, feature_dim)
