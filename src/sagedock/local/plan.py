"""`sagedock plan`: load-tests a model with real servers, here, and writes down the setting that served it best.

Client and server share this machine's processors, so that the rates are those of a machine with a little less.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagedock import __version__
from sagedock.contracts import capacity, machine, model_directory
from sagedock.contracts import plan as plans
from sagedock.contracts.hosting import MEBIBYTE, HostingSettings, InferenceOptions
from sagedock.contracts.plan import Plan
from sagedock.errors import PlatformError, UserError
from sagedock.local import batches
from sagedock.local.batches import BatchSetting
from sagedock.local.load import Exchange, LoadClient
from sagedock.local.rates import CONNECTIONS, KeptRate, RateSearch, keeps
from sagedock.local.sample import Sample
from sagedock.local.server import LocalServer

SAFE_SHARE = 0.8
MEDIANS, TAILS = 10, 2
"""What the 99th percentile may be, in medians and in 99th percentiles of a server that has one request at a time."""
SMALLEST_LIMIT_MS = 10.0
"""Below this a network in between adds more, and a neighbour on the machine decides."""
BATCH_SHARE = 0.2
"""Of the time given; as much goes into the check of the safe rate, the rest into the search."""
AS_GOOD = 0.95
"""Of two settings this close the one with less memory is taken."""
SAFE_TRIES = 4
SHORTEST_SECONDS, SHORTEST_SEARCH_SECONDS = 5.0, 1.0
REPLACED = ("SAGEMAKER_MODEL_SERVER_WORKERS", "SAGEDOCK_INFERENCE_THREADS", "SAGEDOCK_PLAN", "SAGEMAKER_MULTI_MODEL")
HEAD = "workers  threads  most req/s  p50 ms  p99 ms  CPU us/req  memory MB"


@dataclass(frozen=True)
class Row:
    """One setting, measured; `memory_bytes` is all processes together, under load."""

    workers: int
    threads: int
    kept: KeptRate
    memory_bytes: int

    def __str__(self) -> str:
        found = self.kept.measurement
        figures = (
            f"{self.workers:7d}  {self.threads:7d}  {self.kept.rate:10.0f}  {found.p50_ms:6.2f}  {found.p99_ms:6.2f}  "
        )
        figures += f"{self.kept.cpu_us_per_request:10.0f}  {self.memory_bytes / 1e6:9.0f}"
        reasons = [f"{count} x {reason}" for reason, count in found.errors.items()]
        if not self.kept.rate:
            return f"{figures}  no rate kept the limit; {', '.join(reasons) or 'too slow'}"
        return f"{figures}{'  the load client was the limit' if self.kept.client_bound else ''}"

    def facts(self) -> dict[str, Any]:
        """What plan.json holds of it."""
        return {
            "workers": self.workers,
            "threads": self.threads,
            "requests_per_second": round(self.kept.rate, 1),
            "p50_ms": _rounded(self.kept.measurement.p50_ms),
            "p99_ms": _rounded(self.kept.measurement.p99_ms),
            "cpu_us_per_request": round(self.kept.cpu_us_per_request, 1),
            "memory_bytes": self.memory_bytes,
        }


def plan(
    model: Path,
    sample: Sample,
    environment: Mapping[str, str],
    *,
    limit_ms: float | None = None,
    seconds: float = 50.0,
    output: Path | None = None,
) -> int:
    """Measure the model in directory `model` for about `seconds`, print a table, and write plan.json.

    `limit_ms` bounds the 99th percentile; the default is ten times the median of a quiet server. The plan goes to
    `output`, else beside the model where that can be written. Raises UserError for a sample that the model refuses, a
    time too short or a model that learns, and PlatformError when no setting keeps the limit.
    """
    if model_directory.learns(model) and InferenceOptions.from_environment(environment).streaming:
        raise UserError(
            f"the model in {model} learns from the series that it answers: it is served by one worker and one thread, "
            "and every answer differs. Set SAGEDOCK_STREAMING to off to measure it as it was trained",
            field="SAGEDOCK_STREAMING",
        )
    if seconds < SHORTEST_SECONDS:
        raise UserError(f"--seconds is {seconds:g}; measuring takes {SHORTEST_SECONDS:g} or more", field="--seconds")
    inherited = {name: value for name, value in environment.items() if name not in REPLACED}
    with LoadClient() as client:
        measurer = Measurer(client, model, sample, {**inherited, "SAGEDOCK_PLAN": plans.OFF}, seconds)
        made = measurer.plan(limit_ms)
    _write(made, output or model / plans.NAME, explicit=output is not None)
    return 0


@dataclass(frozen=True)
class Measurer:
    """Measures one model with one sample, in servers started under `environment`."""

    client: LoadClient
    model: Path
    sample: Sample
    environment: Mapping[str, str]
    seconds: float

    def plan(self, limit_ms: float | None) -> Plan:
        end = time.monotonic() + (1 - 2 * BATCH_SHARE) * self.seconds
        limit = limit_ms or self._limit()
        _say(f"\n{HEAD}")
        settings = candidates(machine.cpus(), self._room())
        rows = []
        for number, (workers, threads) in enumerate(settings):
            rows.append(self._row(workers, threads, limit, (end - time.monotonic()) / (len(settings) - number)))
        best = _best(rows, limit)
        with self._server(best.workers, best.threads, SAGEMAKER_BATCH="true") as (server, search):
            safe = self._safe(search, best, limit)
            memory = sum(server.memory_bytes())
            slots, largest = best.workers * best.threads, self._settings.max_payload_bytes // MEBIBYTE
            share = BATCH_SHARE * self.seconds
            batch = batches.best(self.client, server, self.sample, slots, largest, machine.memory_limit(), share)
        made = _plan(rows, best, safe, batch, limit, memory)
        _say(_summary(made, batch))
        return made

    def _limit(self) -> float:
        """What the 99th percentile may be when nobody says."""
        with self._server(1, 1) as (_, search):
            quiet = search.quiet(min(2.0, self.seconds / 20))
        limit = max(MEDIANS * quiet.p50_ms, TAILS * quiet.p99_ms, SMALLEST_LIMIT_MS)
        _say(
            f"one request at a time: p50 {quiet.p50_ms:.2f} ms, p99 {quiet.p99_ms:.2f} ms\n"
            f"p99 may be {limit:.4g} ms under load: {MEDIANS} times that median or {TAILS} times that p99, at least "
            f"{SMALLEST_LIMIT_MS:g} (--p99 sets another)"
        )
        return limit

    def _room(self) -> int:
        """How many workers fit the memory."""
        artefacts, payload = capacity.artefact_bytes(self.model), self._settings.max_payload_bytes
        return capacity.workers(
            plans.WORKERS_PER_CPU * math.ceil(machine.cpus()), machine.memory_limit(), artefacts, payload
        )

    def _row(self, workers: int, threads: int, limit: float, seconds: float) -> Row:
        end = time.monotonic() + seconds
        with self._server(workers, threads) as (server, search):
            kept = search.highest(limit, max(SHORTEST_SEARCH_SECONDS, end - time.monotonic()))
            row = Row(workers, threads, kept, sum(server.memory_bytes()))
        _say(str(row))
        return row

    def _safe(self, search: RateSearch, best: Row, limit: float) -> KeptRate:
        """Four fifths of the most; less where a longer look finds that it is not kept."""
        rate, length = SAFE_SHARE * best.kept.rate, BATCH_SHARE * self.seconds / SAFE_TRIES
        for _ in range(SAFE_TRIES):
            found = search.at(rate, length)
            if keeps(found.measurement, limit):
                return found
            rate *= SAFE_SHARE
        raise _not_kept(limit)

    @contextmanager
    def _server(self, workers: int, threads: int, **variables: str) -> Iterator[tuple[LocalServer, RateSearch]]:
        """A server that has answered the sample, and the search that measures it."""
        counts = {"SAGEMAKER_MODEL_SERVER_WORKERS": str(workers), "SAGEDOCK_INFERENCE_THREADS": str(threads)}
        with LocalServer(self.model, {**self.environment, **counts, **variables}) as server:
            body, content_type, accept = self.sample.body, self.sample.content_type, self.sample.accept
            status, answer = server.post("/invocations", body, content_type, accept)
            if status != 200:
                raise UserError(f"the model answers the sample with {status}: {answer[:500].decode(errors='replace')}")
            exchange = Exchange.post("/invocations", body, content_type, answer, accept)
            connections = max(CONNECTIONS, 4 * workers * threads)
            yield server, RateSearch(self.client, server, [exchange], connections)

    @property
    def _settings(self) -> HostingSettings:
        return HostingSettings.from_environment(self.environment)


def candidates(cpus: float, room: int) -> list[tuple[int, int]]:
    """Sensible pairs of workers and threads on `cpus` processors, with memory for `room` workers.

    A worker a processor, by both roundings of a fraction; one process with a thread for each; and half of the workers
    with two threads, for a model whose code gives the interpreter's lock back.
    """
    down, up = max(1, math.floor(cpus)), math.ceil(cpus)
    wanted = [(down, 1), (up, 1), (1, 1), (1, up), (max(1, down // 2), 2), (down, 2)]
    fitting = [(min(workers, room), threads) for workers, threads in wanted]
    return list(dict.fromkeys(fitting))


def _best(rows: list[Row], limit: float) -> Row:
    most = max(row.kept.rate for row in rows)
    if not most:
        raise _not_kept(limit)
    return min((row for row in rows if row.kept.rate >= AS_GOOD * most), key=lambda row: row.memory_bytes)


def _not_kept(limit: float) -> PlatformError:
    return PlatformError(
        f"no setting kept the 99th percentile within {limit:.4g} ms without errors: stop what else runs here, give "
        "more --seconds, or a larger --p99"
    )


def _plan(rows: list[Row], best: Row, safe: KeptRate, batch: BatchSetting, limit: float, memory: int) -> Plan:
    return Plan(
        cpus=machine.cpus(),
        workers=best.workers,
        threads=best.threads,
        requests_per_second=round(safe.rate, 1),
        p99_ms=_rounded(safe.measurement.p99_ms),
        p99_limit_ms=_rounded(limit),
        cpu_us_per_request=round(safe.cpu_us_per_request, 1),
        memory_bytes=memory,
        max_concurrent_transforms=batch.transforms,
        max_payload_in_mb=batch.mebibytes,
        sagedock=__version__,
        measured=[row.facts() for row in rows],
    )


def _summary(made: Plan, batch: BatchSetting) -> str:
    return (
        f"\nbest: {made.workers} workers x {made.threads} threads on {made.cpus:g} CPUs\n"
        f"safe: {made.requests_per_second:.0f} requests/s (80 % of the most), p99 {made.p99_ms:.2f} ms, "
        f"{made.cpu_us_per_request:.0f} CPU us a request, {made.memory_bytes / 1e6:.0f} MB\n"
        f"batch: MaxConcurrentTransforms {batch.transforms}, MaxPayloadInMB {batch.mebibytes}: "
        f"{batch.megabytes_per_second:.1f} MB/s"
    )


def _write(made: Plan, file: Path, *, explicit: bool) -> None:
    try:
        plans.write(file, made)
    except PlatformError as error:
        if explicit:
            raise
        _say(f"plan: {error}, or name another place with --output FILE, where SAGEDOCK_PLAN=FILE finds it")
        return
    _say(f"plan: {file}{'' if not explicit else f' (SAGEDOCK_PLAN={file} makes sagedock serve read it)'}")


def _rounded(milliseconds: float) -> float:
    return round(milliseconds, 3)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
