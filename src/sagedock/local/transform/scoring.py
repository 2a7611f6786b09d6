"""One mini-batch asked of the container; by choice it is divided until the records at fault stand alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sagedock.local.transform.batching import Batch, MiniBatch, Refused
from sagedock.local.transform.client import Reply
from sagedock.local.transform.pipeline import Pipeline


@dataclass(frozen=True)
class Scored:
    """A mini-batch and the reply to it, which may be a failure where records are not to be rejected."""

    batch: Batch
    reply: Reply


def score(containers: Pipeline, batch: Batch, *, divide: bool) -> list[Scored | Refused]:
    """The reply to `batch`, or, with `divide`, what came of its parts, in order.

    Parts of a mini-batch that failed are not asked again when the container answered a failure.
    """
    return list(_score(containers, batch, divide=divide, patient=True))


def _score(containers: Pipeline, batch: Batch, *, divide: bool, patient: bool) -> Iterator[Scored | Refused]:
    reply = containers.invoke(batch.body, patient=patient)
    if reply.good or not divide or not reply.blames_records or not isinstance(batch, MiniBatch):
        yield Scored(batch, reply)
    elif batch.count == 1:
        yield Refused(batch.first, reply.code, reply.message, batch.records[0])
    else:
        for part in _parts(batch, reply.row):
            yield from _score(containers, part, divide=divide, patient=False)


def _parts(batch: MiniBatch, row: int | None) -> Iterator[MiniBatch]:
    """Two halves; where the container named the first row at fault, that row alone, and two halves of what follows."""
    count = len(batch.records)
    at = row if row is not None and row <= count else None
    cuts = [0, count // 2, count] if at is None else [0, at - 1, at, (at + count + 1) // 2, count]
    for begin, end in pairwise(cuts):
        if begin < end:
            yield batch.part(begin, end)
