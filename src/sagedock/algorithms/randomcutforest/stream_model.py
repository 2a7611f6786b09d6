"""A random cut forest that answers requests and learns their points: the requests of a server are one series."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sagedock.algorithms.randomcutforest import stream_state
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel
from sagedock.algorithms.randomcutforest.shingles import shingled
from sagedock.algorithms.randomcutforest.stream import Stream
from sagedock.algorithms.randomcutforest.trees import Floats
from sagedock.errors import UserError
from sagedock.formats.media_types import MediaType
from sagedock.formats.table import Predictions, Table

_BLOCK = 1 << 22  # numbers of shingles that are made at once
MOST_SHARES = 1 << 26
"""Numbers of attributions that one request may have, which are all there before its answer begins: 256 MiB."""


@dataclass
class Outcome:
    """What learning the points of a request gave: scores (points,) and, where asked for, attributions."""

    scores: Floats | None = None
    shares: Floats | None = None


@dataclass(frozen=True)
class Points:
    """The points of one request in order, those from `begin` up to `end` to be answered.

    Whichever part is answered first, all of them are learnt then: `outcome` is that of the whole request.
    """

    table: Table
    begin: int
    end: int
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def rows(self) -> int:
        return self.end - self.begin

    def part(self, begin: int, end: int) -> Points:
        """Those from `begin` up to `end` of these."""
        return replace(self, begin=self.begin + begin, end=min(self.begin + end, self.end))


class StreamModel:
    """`still` is the forest as it was trained; `last` are points (points, columns) that the series goes on from."""

    learns = True

    def __init__(self, still: RandomCutForestModel, stream: Stream, last: Floats) -> None:
        self.still = still
        self.stream = stream
        self.last = last
        self._lock = threading.Lock()

    @property
    def in_line_bytes(self) -> int:
        """Bodies up to this size are scored and learnt in little time: a point takes twice what its score takes."""
        return self.still.in_line_bytes // 2

    @property
    def memory_bytes(self) -> int:
        """What forest and stream take."""
        return self.still.memory_bytes + sum(array.nbytes for array in self.stream.trees.arrays().values())

    def read(self, body: bytes, media_type: MediaType) -> Points:
        """The points of a request, of which nothing is learnt yet."""
        table = self.still.table(body, media_type)
        return Points(table, 0, table.rows)

    def predict(self, records: Points) -> Predictions:
        """The score of each point before it was learnt.

        Raises UserError where a new series has no whole shingle yet; then nothing was learnt.
        """
        found, asked = records.outcome, slice(records.begin, records.end)
        with self._lock:
            if found.scores is None:
                found.scores, found.shares = self._follow(records.table.dense)
        shares = None if found.shares is None else found.shares[asked]
        identities = records.table.identities
        return self.still.answers.to(found.scores[asked], shares, None if identities is None else identities[asked])

    def example(self) -> None:
        """None: whatever is answered is learnt."""

    def warm_up(self) -> None:
        """Score a row of zeros without learning it, so that nothing is done for the first time in a request."""
        self.stream.scores(np.zeros((1, self.stream.trees.columns), np.float32))

    def save(self, directory: Path) -> Sequence[str]:
        """Write `model_algo-1`, the forest, and `stream_algo-1`, where the stream stands."""
        stream_state.write(directory, self.stream, self.last)
        return [*self.still.save(directory), stream_state.NAME]

    def describe(self) -> Mapping[str, Any]:
        """What is said of the forest, and that it learns."""
        stream = {"points_seen": self.stream.seen, "time_decay": self.stream.decay}
        return {**self.still.describe(), "learns": True, "stream": stream}

    def _follow(self, points: Floats) -> tuple[Floats, Floats | None]:
        """Score and learn the points that come next. Those before the first whole shingle share its score."""
        detector, size = self.still.detector, self.still.detector.shingle_size
        series = np.concatenate([self.last, points])
        if len(series) < size:
            raise UserError(
                f"got {len(points)} points of a new series, and the model scores by shingles of {size}: send "
                f"{size - len(self.last)} points or more, in order, and then as few as you like"
            )
        shingles = len(series) - size + 1
        self._require_room(shingles)
        scores = np.empty(shingles, np.float32)
        shares = np.empty((shingles, detector.forest.columns), np.float32) if self.still.answers.attributed else None
        rows = max(1, _BLOCK // detector.forest.columns)
        for begin in range(0, shingles, rows):
            block = shingled(series[begin : begin + rows + size - 1], size)
            part = slice(begin, begin + len(block))
            scores[part] = self.stream.follow(detector.weighed(block), None if shares is None else shares[part])
        self.last = series[len(series) - size + 1 :].copy()
        spread = np.maximum(np.arange(len(points)) - (len(points) - shingles), 0)
        return scores[spread], None if shares is None else shares[spread]

    def _require_room(self, rows: int) -> None:
        """Raise UserError where so many rows have more attributions than memory should hold at once."""
        columns = self.still.forest.columns
        if self.still.answers.attributed and rows * columns > MOST_SHARES:
            raise UserError(
                f"got {rows} points with attributions to {columns} columns each: send at most {MOST_SHARES // columns} "
                "in a request; the series goes on in the next"
            )
