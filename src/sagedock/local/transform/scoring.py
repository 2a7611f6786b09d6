"""One mini-batch asked of the container; by choice it is divided until the records at fault stand alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sagedock.local.transform.batching import Batch, MiniBatch, Refused
from sagedock.local.transform.client import Reply
from sagedock.local.transform.pipeline import Pipeline
from sagedock.serving.placeholders import cuts


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
        for begin, end in cuts(batch.count, reply.row):
            yield from _score(containers, batch.part(begin, end), divide=divide, patient=False)
