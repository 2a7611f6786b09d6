"""Training data in LIBSVM text, parsed a block of lines at a time: by the compiled core, or by a columnar engine.

For the engine every token becomes a line `key:value` of a two-column CSV; the label, weight and query id of a record
get keys below zero, which no index has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.contracts.channels import Source
from sagedock.errors import UserError
from sagedock.formats.blocks import Block, GrowingArray, blocks
from sagedock.formats.cells import NAN_SPELLINGS, narrowed, number, shown
from sagedock.formats.libsvm import NOT_LIBSVM, Entries, read_entries
from sagedock.formats.rows import WIDEST, repeated
from sagedock.formats.table import Floats, Table

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_LABEL, _GROUP, _WEIGHT = -1, -2, -3
_WEIGHTED_LABEL = re.compile(rb"(?m)^([^\s:]+):([^\s:]+)(?=\s)")


@dataclass(frozen=True)
class _Records:
    """The records of one block; `weights` and `groups` are empty or as long as `labels`."""

    labels: Floats
    weights: Floats
    groups: NDArray[np.int64]
    values: Floats
    keys: NDArray[np.integer]
    lengths: NDArray[np.int64]


def read(sources: Iterable[Source]) -> Table:
    """All records of `sources`, in their order, as wide as the highest index needs.

    Raises UserError naming file and line of what is not LIBSVM, and when only some records have a weight or qid.
    """
    labels, weights, values, groups = GrowingArray(), GrowingArray(), GrowingArray(), GrowingArray(dtype=np.int64)
    keys, lengths = GrowingArray(dtype=np.int32), GrowingArray(dtype=np.int64)
    names = []
    for source in sources:
        names.append(source.name)
        with source.open() as stream:
            for block in blocks(stream, source.name):
                records = _records(source.name, block)
                weights.append(records.weights)
                groups.append(records.groups)
                labels.append(records.labels)
                if len(weights) not in {0, len(labels)} or len(groups) not in {0, len(labels)}:
                    what = "weight" if len(weights) not in {0, len(labels)} else "qid"
                    raise UserError(
                        f"{source.name}, near line {block.line}: some records have a {what} and some have none: "
                        f"give every record a {what}, or none"
                    )
                values.append(records.values)
                keys.append(records.keys.astype(np.int32, copy=False))
                lengths.append(records.lengths)
    if not len(labels):
        raise UserError(f"no records in {', '.join(names)}")
    return Table(
        features=_matrix(values.finished(), keys.finished(), lengths.finished()),
        labels=labels.finished(),
        weights=weights.finished() if len(weights) else None,
        groups=groups.finished() if len(groups) else None,
    )


def _records(name: str, block: Block) -> _Records:
    """What `block` holds: read by the compiled core, by the engine, or with care, whichever can. Raises UserError."""
    return _read_natively(block) or _checked(name, block, _parse(block) or _read_carefully(name, block))


def _read_natively(block: Block) -> _Records | None:
    """The records as the compiled core reads them, which takes only what needs no check; None for others."""
    found = None if core.native is None else core.native.libsvm_block(block.memory)
    if found is None:
        return None
    labels, weights, groups, values, keys, starts = found
    return _Records(labels, weights, groups, values, keys, np.diff(starts))


def _matrix(values: Floats, keys: NDArray[np.integer], lengths: NDArray[np.int64]) -> csr_matrix:
    from scipy.sparse import csr_matrix

    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    width = int(keys.max()) + 1 if len(keys) else 0
    return csr_matrix((values, keys, starts), shape=(len(lengths), width))


def _parse(block: Block) -> _Records | None:
    """The records of `block`; None when the engine refuses it or it holds what the engine would misread."""
    import pyarrow
    from pyarrow import csv as engine

    text = block.text.replace(b"\r\n", b"\n") if b"\r" in block.text else block.text
    text = text.replace(b"\t", b" ")
    if any(mark in text for mark in (b"#", b'"', b"\r", b" +")) or block.has_blank_line:
        return None
    weighted = b":" in text.partition(b"\n")[0].partition(b" ")[0]
    grouped = b" qid:" in text
    if (weighted or grouped) and b" -" in text:
        return None  # an index below zero, which must not pass for a mark of ours
    if weighted:
        text = _WEIGHTED_LABEL.sub(rb"\1 %d:\2" % _WEIGHT, text)
    if grouped:
        text = text.replace(b" qid:", b" %d:" % _GROUP)
    text = b"-1:" + text[:-1].replace(b"\n", b" -1:").replace(b" ", b"\n") + b"\n"
    try:
        table = engine.read_csv(
            pyarrow.BufferReader(text),
            engine.ReadOptions(column_names=["key", "value"], use_threads=False, block_size=len(text) + 1),
            engine.ParseOptions(delimiter=":", quote_char=False, ignore_empty_lines=True),
            engine.ConvertOptions(
                column_types={"key": pyarrow.int64(), "value": pyarrow.float64()}, null_values=NAN_SPELLINGS
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    key, value = table.columns
    if key.null_count:
        return None
    return _sorted_out(key.to_numpy(), value.to_numpy(), value.null_count, (block.lines, weighted, grouped))


def _sorted_out(
    keys: NDArray[np.int64], values: NDArray[np.float64], missing: int, promised: tuple[int, bool, bool]
) -> _Records | None:
    """The records behind the engine's two columns; None when they are not what the text promised.

    `promised` are the number of lines, and whether each has a weight and a query id.
    """
    lines, weighted, grouped = promised
    starts = np.flatnonzero(keys == _LABEL)
    narrow = narrowed(values)
    heads = 1 + weighted + grouped
    regular = (
        len(starts) == lines
        and starts[-1] + heads <= len(keys)
        and np.count_nonzero(keys < 0) == heads * lines
        and (not weighted or bool((keys[starts + 1] == _WEIGHT).all()))
        and (not grouped or bool((keys[starts + 1 + weighted] == _GROUP).all()))
        and int(keys.max()) < WIDEST
        and not np.isinf(narrow).any()
        and np.count_nonzero(np.isnan(narrow)) == missing
    )
    if not regular:
        return None
    none = starts[:0]
    groups = values[starts + 1 + weighted if grouped else none]
    if not (groups == np.floor(groups)).all() or (groups < 0).any() or (groups >= 2.0**53).any():
        return None
    return _Records(
        labels=narrow[starts],
        weights=narrow[starts + 1 if weighted else none],
        groups=groups.astype(np.int64),
        values=narrow[keys >= 0],
        keys=keys[keys >= 0],
        lengths=np.diff(np.append(starts, len(keys))) - heads,
    )


def _read_carefully(name: str, block: Block) -> _Records:
    """A second look at a block that the engine refused, a token at a time. Raises UserError naming the place."""
    entries = Entries()
    text = block.text.decode("utf-8", "replace").removesuffix("\n")
    for line, record in enumerate(text.split("\n"), start=block.line):
        tokens = record.partition("#")[0].split()
        try:
            label, colon, weight = _first(tokens).partition(":")
            entries.labels.append(number(label))
            if colon:
                entries.weights.append(_weight(weight, tokens[0]))
            read_entries(tokens[1:], entries)
        except ValueError as error:
            raise UserError(f"{name}, line {line}: {error}; {NOT_LIBSVM}; check the channel's ContentType") from error
    return _Records(
        narrowed(np.array(entries.labels)),
        narrowed(np.array(entries.weights)),
        np.array(entries.groups, dtype=np.int64),
        narrowed(np.array(entries.values)),
        np.array(entries.keys, dtype=np.int64),
        np.diff(np.array(entries.starts)).astype(np.int64),
    )


def _first(tokens: list[str]) -> str:
    if not tokens:
        raise ValueError("the line is blank, remove it")
    return tokens[0]


def _weight(text: str, token: str) -> float:
    if not text:
        raise ValueError(f"{shown(token)} has no weight behind its colon")
    return number(text)


def _checked(name: str, block: Block, records: _Records) -> _Records:
    """`records` with the entries of each record in order of their index."""
    missing = np.flatnonzero(np.isnan(records.labels))
    if len(missing):
        raise UserError(f"{name}, line {block.line + int(missing[0])}: the label is missing: label every record")
    if len(records.keys) and int(records.keys.max()) >= WIDEST:
        raise UserError(f"{name}, near line {block.line}: index {records.keys.max()} is above {WIDEST - 1}")
    matrix = _matrix(records.values, records.keys, records.lengths)
    if not matrix.has_sorted_indices:
        matrix.sort_indices()
    twice = repeated(matrix)
    if twice is not None:
        row, index = twice
        raise UserError(f"{name}, line {block.line + row - 1}: index {index} is given twice: give it once")
    return _Records(records.labels, records.weights, records.groups, matrix.data, matrix.indices, records.lengths)
