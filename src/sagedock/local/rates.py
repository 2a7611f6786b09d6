"""How much a server can take: the highest rate at which the 99th percentile stays within a limit, without one error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sagedock.local.load import Exchange, Load, LoadClient
from sagedock.local.measurement import Measurement
from sagedock.local.server import LocalServer

PROBES = 4
"""Halvings of the interval: the rate is found to a sixteenth of what the server can do at all."""
FEWEST = 100
"""Requests of a probe, if twice its time is enough for them: of fewer, the 99th percentile is the slowest."""
PATIENCE = 2.0
QUIET_REQUESTS = 2000
CONNECTIONS = 16
"""The fewest of a probe; a server of many workers gets four for each inference that can run at once."""


@dataclass(frozen=True)
class KeptRate:
    """What a server took: the highest rate kept (0 when none was), measured; and the CPU time of a request."""

    rate: float
    measurement: Measurement
    cpu_us_per_request: float
    client_bound: bool


@dataclass(frozen=True)
class RateSearch:
    """Measures one server with one request."""

    client: LoadClient
    server: LocalServer
    exchanges: Sequence[Exchange]
    connections: int = CONNECTIONS

    def quiet(self, seconds: float) -> Measurement:
        """One request at a time."""
        return self.client.measure(Load(self.server.port, self.exchanges, 1, seconds, requests=QUIET_REQUESTS))

    def highest(self, limit_ms: float, seconds: float) -> KeptRate:
        """Halve the interval between nothing and all that a closed loop gets, in about `seconds`."""
        piece = seconds / (1.5 * PROBES + 1)
        full = self.client.measure(Load(self.server.port, self.exchanges, self.connections, piece))
        kept: KeptRate | None = None
        refused = full
        lowest, highest = 0.0, full.rate
        bound = full.client_bound
        for _ in range(PROBES if full.answers else 0):
            rate = (lowest + highest) / 2
            found = self.at(rate, piece)
            if not keeps(found.measurement, limit_ms):  # a neighbour on the machine may have stolen a moment
                found = self.at(rate, piece)
            if keeps(found.measurement, limit_ms):
                lowest, kept = rate, found
            else:
                highest, refused = rate, found.measurement
            bound = bound or found.client_bound
        if kept is None:
            return KeptRate(0.0, refused, 0.0, bound)
        return KeptRate(kept.rate, kept.measurement, kept.cpu_us_per_request, bound)

    def at(self, rate: float, seconds: float) -> KeptRate:
        """Send at `rate`, and measure what a request costs the server."""
        length = max(seconds, min(FEWEST / rate, 2 * seconds))
        load = Load(
            self.server.port, self.exchanges, 4 * self.connections, length, rate, patience=PATIENCE, introduced=True
        )
        before = self.server.cpu_seconds()
        measured = self.client.measure(load)
        spent = self.server.cpu_seconds() - before
        cost = spent / measured.answers * 1e6 if measured.answers else 0.0
        return KeptRate(rate, measured, cost, measured.client_bound)


def keeps(measured: Measurement, limit_ms: float) -> bool:
    """Whether all was answered, and 99 of 100 within `limit_ms`."""
    return measured.answers > 0 and measured.error_count == 0 and measured.p99_ms <= limit_ms
