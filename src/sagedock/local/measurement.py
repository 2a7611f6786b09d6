"""What a load measured: how many answers of which kind, after what time, and what sending them cost."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BOUNDS_MS = tuple(step * 10.0**power for power in range(-2, 5) for step in (1, 1.5, 2, 3, 5, 7))
"""Upper bounds of the buckets of a histogram, 10 microseconds to 70 seconds; what is slower has a bucket of its own."""


@dataclass(frozen=True)
class Latencies:
    """Times from request to answer, in milliseconds; percentiles are of the values themselves, by nearest rank."""

    sorted_ms: Sequence[float]

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latencies:
        return cls(sorted(value * 1000.0 for value in seconds))

    def percentile(self, share: float) -> float:
        """The smallest latency that `share` percent of the answers do not exceed; nan when there is none."""
        rank = math.ceil(share / 100.0 * len(self.sorted_ms))
        return self.sorted_ms[max(rank, 1) - 1] if self.sorted_ms else math.nan

    def histogram(self) -> dict[float, int]:
        """Answers by upper bound in milliseconds, empty buckets left out; the last bound is infinity."""
        counts: dict[float, int] = {}
        for value in self.sorted_ms:
            place = bisect_left(BOUNDS_MS, value)
            bound = BOUNDS_MS[place] if place < len(BOUNDS_MS) else math.inf
            counts[bound] = counts.get(bound, 0) + 1
        return counts


@dataclass(frozen=True)
class Measurement:
    """The outcome of one load.

    `answers` are the good ones, status 200 and equal to what was expected byte for byte, in `seconds` of wall time;
    `errors` counts all others by reason. `client_cpu_seconds` is what the load client itself spent.
    """

    answers: int
    seconds: float
    latencies: Latencies
    client_cpu_seconds: float = 0.0
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def error_count(self) -> int:
        return sum(self.errors.values())

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.answers / self.seconds if self.seconds > 0 else 0.0

    @property
    def client_bound(self) -> bool:
        """Whether the client had a whole processor to itself and used it: a faster server would look no faster."""
        return self.client_cpu_seconds > 0.9 * self.seconds

    @property
    def p50_ms(self) -> float:
        return self.latencies.percentile(50)

    @property
    def p95_ms(self) -> float:
        return self.latencies.percentile(95)

    @property
    def p99_ms(self) -> float:
        return self.latencies.percentile(99)
