"""The server's figures: Prometheus text for GET /metrics, and the same as CloudWatch embedded-metric log lines.

Formats: Prometheus exposition format 0.0.4; CloudWatch embedded metric format, whose `_aws` member makes CloudWatch
Logs publish the metrics of a line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import accumulate

from sagedock.serving.scoreboard import SECONDS, Scoreboard, Totals

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NAMESPACE = "sagedock"


def exposition(totals: Totals) -> bytes:
    """`totals` as Prometheus reads them."""
    return "".join(f"{line}\n" for line in _lines(totals)).encode()


def _lines(totals: Totals) -> Iterator[str]:
    yield from _metric("workers", "gauge", "Worker processes.", totals.alive)
    yield from _metric("connections", "gauge", "Open client connections.", totals.connections)
    yield from _metric("invocations_in_flight", "gauge", "Invocations that are not answered yet.", totals.in_flight)
    yield "# HELP sagedock_invocations_total Invocations answered, by class of status code."
    yield "# TYPE sagedock_invocations_total counter"
    for code, count in (("2xx", totals.succeeded), ("4xx", totals.refused), ("5xx", totals.failed)):
        yield f'sagedock_invocations_total{{code="{code}"}} {count}'
    yield from _metric("request_bytes_total", "counter", "Bytes of invocation bodies.", totals.bytes_in)
    yield from _metric("response_bytes_total", "counter", "Bytes of answers, but for streamed ones.", totals.bytes_out)
    yield "# HELP sagedock_invocation_seconds Time from the whole request to its answer."
    yield "# TYPE sagedock_invocation_seconds histogram"
    for bound, count in zip((*map(str, SECONDS), "+Inf"), accumulate(totals.buckets), strict=True):
        yield f'sagedock_invocation_seconds_bucket{{le="{bound}"}} {count}'
    yield f"sagedock_invocation_seconds_sum {totals.microseconds / 1_000_000!r}"
    yield f"sagedock_invocation_seconds_count {totals.invocations}"


def _metric(name: str, kind: str, meaning: str, value: int) -> Iterator[str]:
    yield f"# HELP sagedock_{name} {meaning}"
    yield f"# TYPE sagedock_{name} {kind}"
    yield f"sagedock_{name} {value}"


class Reporter:
    """Says every `interval` seconds what has happened, for a process that looks at the clock itself."""

    def __init__(self, scoreboard: Scoreboard, interval: float, write: Callable[[str], object]) -> None:
        self._scoreboard = scoreboard
        self._interval = interval
        self._write = write
        self._before = scoreboard.totals()
        self._due = time.monotonic() + interval

    def tick(self) -> None:
        """Write a line if it is time."""
        if time.monotonic() >= self._due:
            self.report()

    def report(self) -> None:
        """Write a line of what there is to tell."""
        now = self._scoreboard.totals()
        self._write(embedded(now, self._before, time.time()) + "\n")
        self._before = now
        self._due = time.monotonic() + self._interval


def embedded(now: Totals, before: Totals, timestamp: float) -> str:
    """One line of JSON: what happened since `before`; `timestamp` is in seconds since 1970."""
    invocations = now.invocations - before.invocations
    seconds = (now.microseconds - before.microseconds) / 1_000_000
    values = {
        "Invocations": (invocations, "Count"),
        "Invocation4XXErrors": (now.refused - before.refused, "Count"),
        "Invocation5XXErrors": (now.failed - before.failed, "Count"),
        "InvocationLatency": (1000 * seconds / invocations if invocations else 0.0, "Milliseconds"),
        "InvocationsInFlight": (now.in_flight, "Count"),
        "Connections": (now.connections, "Count"),
        "RequestBytes": (now.bytes_in - before.bytes_in, "Bytes"),
        "ResponseBytes": (now.bytes_out - before.bytes_out, "Bytes"),
    }
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [[]],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()],
    }
    document = {"_aws": {"Timestamp": int(timestamp * 1000), "CloudWatchMetrics": [directive]}}
    return json.dumps({**document, **{name: value for name, (value, _) in values.items()}})
