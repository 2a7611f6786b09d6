"""The one pass over the train channel, which leaves a sample of its rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import BinaryIO

from sagedock.algorithm import Context
from sagedock.algorithms.randomcutforest.checkpoints import Checkpoints
from sagedock.algorithms.randomcutforest.evaluation import require_values
from sagedock.algorithms.randomcutforest.journal import Journal
from sagedock.algorithms.randomcutforest.plan import Plan, most_rows, require_memory
from sagedock.algorithms.randomcutforest.sampling import HostSample, Reservoir
from sagedock.algorithms.randomcutforest.shingles import Shingler
from sagedock.contracts import machine
from sagedock.contracts.channels import Channel, Source
from sagedock.formats import recordio
from sagedock.formats.media_types import RECORDIO, MediaType, parse_media_type
from sagedock.formats.table import Part
from sagedock.formats.training import read_parts

BATCH = 1000
"""Rows of a batch as the built-in counts them."""


def sample(channel: Channel, plan: Plan, context: Context, journal: Journal, checkpoints: Checkpoints) -> HostSample:
    """A uniform sample of this host's rows of the train channel, at most as many as the forest takes.

    Raises UserError for rows of another width than feature_dim, for values that are missing or no numbers, and for a
    sample that memory does not hold.
    """
    media_type = parse_media_type(channel.content_type or RECORDIO)
    rows = most_rows(channel, media_type.essence, plan)
    reservoir = Reservoir(rows, plan.width, [plan.seed, context.cluster.rank])
    begun, last = checkpoints.resume(reservoir, plan.columns)
    way = _Pass(channel, begun, several=plan.hosts > 1)
    journal.say("Validating that feature_dim agrees with dimensions in training data...")
    parts = _begun(way.parts(media_type, plan.columns))
    journal.say("feature_dim is correct.")
    _validate_memory(plan, rows, journal)
    _meet(context, journal)
    journal.say("Sampling training data...")
    begin, resumed = time.time(), reservoir.seen
    shingler = Shingler(plan.shingle_size, plan.columns)
    for part in parts:
        if part is None:
            last = shingler.last if len(shingler.last) else last
            checkpoints.after(way.done, reservoir, last)
            shingler = Shingler(plan.shingle_size, plan.columns)  # another file is another series
        else:
            require_values(part)
            reservoir.add(shingler.add(part.table.dense))
            journal.progress(way.share)
    checkpoints.complete(way.done, reservoir, last)
    seen = reservoir.seen - resumed
    journal.sampled(str(channel.path), seen, seen * plan.width * 4, BATCH, begin, time.time())
    return HostSample(reservoir.rows, reservoir.seen, last)


def read_channel(channel: Channel, columns: int, *, labelled: bool) -> Iterator[Part]:
    """Every row of a channel, some at a time."""
    media_type = parse_media_type(channel.content_type or RECORDIO)
    return read_parts(_unwrapped(channel), media_type, columns, labelled=labelled)


class _Pass:
    """The way through a channel's sources behind the first `done`: parts of rows, and None at the end of each."""

    def __init__(self, channel: Channel, done: int, *, several: bool) -> None:
        self.done = done
        self._sources = _sources(channel, several=several)
        self._sizes = [file.stat().st_size for file in channel.files()] if channel.input_mode == "File" else []
        self._stream: BinaryIO | None = None

    def parts(self, media_type: MediaType, columns: int) -> Iterator[Part | None]:
        """What is left of the rows."""
        for position, source in enumerate(self._sources, start=1):
            if position <= self.done:
                continue
            opened = replace(source, open=partial(self._opened, source))
            yield from read_parts([opened], media_type, columns, labelled=False)
            self.done, self._stream = position, None
            yield None

    @property
    def share(self) -> float:
        """The share of the files' bytes that was read; 0 of a pipe, whose length nobody knows."""
        if not self._sizes:
            return 0.0
        here = 0 if self._stream is None or self._stream.closed else self._stream.tell()
        return (sum(self._sizes[: self.done]) + here) / sum(self._sizes)

    def _opened(self, source: Source) -> BinaryIO:
        stream = source.open()
        self._stream = stream if self._sizes else None
        return stream


def _sources(channel: Channel, *, several: bool) -> Iterable[Source]:
    """What the channel holds; of several hosts one may have been given no file."""
    if several and channel.input_mode == "File" and not channel.files():
        return []
    return _unwrapped(channel)


def _unwrapped(channel: Channel) -> Iterable[Source]:
    sources = channel.sources()
    return recordio.unwrapped(sources) if channel.record_wrapper == "RecordIO" else sources


def _begun(parts: Iterator[Part | None]) -> Iterator[Part | None]:
    """The same parts, of which the first was read already, and refused where it does not fit."""
    return chain([next(parts, None)], parts)


def _validate_memory(plan: Plan, rows: int, journal: Journal) -> None:
    available = machine.memory_limit() - machine.resident_memory()
    journal.say("Validating memory limits...")
    journal.say(f"Available memory in bytes: {available}")
    journal.say(f"Estimated sample size in bytes: {plan.sample_bytes(plan.capacity)}")
    journal.say(f"Estimated memory needed to build the forest in bytes: {plan.forest_bytes(plan.capacity)}")
    require_memory(plan, rows, available)
    journal.say("Memory limits validated.")


def _meet(context: Context, journal: Journal) -> None:
    """Wait for the other hosts, so that none samples in vain."""
    journal.say("Starting cluster sharing facilities...")
    journal.say("Cluster sharing facilities started.")
    journal.say("Verifying all workers are accessible...")
    context.cluster.barrier()
    journal.say("All workers accessible.")
    journal.say("Initializing Sampler...")
    journal.say("Sampler correctly initialized.")
