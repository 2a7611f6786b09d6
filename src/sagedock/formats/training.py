"""Training data of a channel: files or a pipe to a Table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sagedock.contracts.channels import Source
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import csv, csv_files, instances, libsvm, libsvm_files
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, LIBSVM, PARQUET, RECORDIO, MediaType
from sagedock.formats.table import Part, Table

TRAINING_TYPES = (CSV, LIBSVM, JSON, JSON_LINES, PARQUET, RECORDIO)


def read_table(sources: Iterable[Source], media_type: MediaType, *, weights: bool = False) -> Table:
    """Every record of `sources`, in their order, with labels.

    The label stands first in CSV (unless label_size=0), in libsvm and in parquet's column 0, and under `label` in
    recordio and JSON. `weights` says that CSV's second column weighs the records. Raises UserError naming file, line
    or record, and what is wrong there.
    """
    if weights and media_type.essence != CSV:
        raise UserError(f"csv_weights goes with text/csv only, and the data are {media_type.essence}: remove it")
    if media_type.essence == CSV:
        labelled = csv.label_columns(media_type, default=1) == 1
        if weights and not labelled:
            raise UserError("csv_weights needs a label column before the weights: use label_size=1")
        return csv_files.read(sources, csv_files.Layout(labelled=labelled, weighted=weights))
    if media_type.essence == LIBSVM:
        return libsvm_files.read(sources)
    return _read_others(sources, media_type)


def _read_others(sources: Iterable[Source], media_type: MediaType) -> Table:
    if media_type.essence == PARQUET:
        from sagedock.formats import parquet

        return parquet.read(sources)
    if media_type.essence == RECORDIO:
        from sagedock.formats import records

        return records.read(sources)
    if media_type.essence in {JSON, JSON_LINES}:
        return instances.read_sources(sources, lined=media_type.essence == JSON_LINES)
    raise UnsupportedMediaType(
        f"training data of type {media_type.essence!r} are not read: declare one of {', '.join(TRAINING_TYPES)}"
    )


def read_parts(sources: Iterable[Source], media_type: MediaType, columns: int, *, labelled: bool) -> Iterator[Part]:
    """Every record of `sources` in their order, some at a time, each with `columns` features in a dense table.

    No more than some blocks are in memory. `labelled` says whether a label stands first in Parquet, and in CSV where
    label_size does not say it; recordio tells by itself. Raises as `read_table` does, and for another number of
    columns; no records at all are no error.
    """
    if media_type.essence == CSV:
        labelled = csv.label_columns(media_type, default=int(labelled)) == 1
        return csv_files.parts(sources, csv_files.Layout(labelled=labelled, weighted=False), columns)
    if media_type.essence == PARQUET:
        from sagedock.formats import parquet

        return parquet.parts(sources, columns, labelled=labelled)
    if media_type.essence == RECORDIO:
        from sagedock.formats import record_parts

        return record_parts.parts(sources, columns)
    raise UnsupportedMediaType(
        f"training data of type {media_type.essence!r} are not read in parts: declare {CSV}, {PARQUET} or {RECORDIO}"
    )


def encode_table(table: Table, media_type: str) -> bytes:
    """`table` in one of TRAINING_TYPES, as `read_table` reads it. Raises UserError when the type cannot hold it."""
    if media_type == CSV:
        return csv.encode(table)
    if media_type == LIBSVM:
        return libsvm.encode(table)
    if media_type in {JSON, JSON_LINES}:
        return instances.encode(table, lined=media_type == JSON_LINES)
    if media_type == PARQUET:
        from sagedock.formats import parquet

        return parquet.encode(table)
    if media_type == RECORDIO:
        from sagedock.formats import records

        return records.encode(table)
    raise UnsupportedMediaType(f"{media_type!r} is not written: use one of {', '.join(TRAINING_TYPES)}")
