"""Requests in flight: several at once, of several objects, while their results come out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from sagedock.errors import PlatformError, SagedockError
from sagedock.local.transform.batching import Refused
from sagedock.local.transform.client import NO_ANSWER
from sagedock.local.transform.pipeline import Pipeline
from sagedock.local.transform.progress import Progress
from sagedock.local.transform.scoring import Scored, score
from sagedock.local.transform.work import Work

Results = list[Scored | Refused]
MOST_WAITING = 1000
"""Results and ends of objects that wait for a request before them."""


class Flow:
    """A bounded window of mini-batches; a context manager that leaves no draft and no thread."""

    def __init__(
        self, containers: Pipeline, concurrent: int, progress: Progress, gone: Callable[[], str | None]
    ) -> None:
        """`gone` tells why no request can be answered any more, or None."""
        self._containers = containers
        self._progress = progress
        self._gone = gone
        self._executor = ThreadPoolExecutor(concurrent, thread_name_prefix="transform")
        self._limit = concurrent + 1  # the next one is read while those are answered
        self._waiting: deque[tuple[Work, Future[Results] | Results | None]] = deque()
        self._asked = 0
        self._positions: dict[Work, int] = {}
        self._begun: set[Work] = set()

    def __enter__(self) -> Flow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._containers.close()
        for work in self._begun:
            work.drop()
        self._executor.shutdown(wait=error is None, cancel_futures=True)

    def transform(self, works: Iterable[Work], *, divide: bool) -> None:
        """Transform every object; one that fails keeps its error, and the others go on.

        Raises PlatformError when the container is gone.
        """
        for work in works:
            self._begun.add(work)
            for batch in work.batches():
                if isinstance(batch, Refused):
                    self._push(work, [batch])
                else:
                    self._push(work, self._executor.submit(score, self._containers, batch, divide=divide))
            self._push(work, None)
        while self._waiting:
            self._take()

    def _push(self, work: Work, results: Future[Results] | Results | None) -> None:
        self._waiting.append((work, results))
        self._asked += isinstance(results, Future)
        while self._asked > self._limit or len(self._waiting) > MOST_WAITING:
            self._take()

    def _take(self) -> None:
        work, results = self._waiting[0]
        if results is None:
            work.finish()
            self._begun.discard(work)
            self._progress.advance(work.item.size - self._positions.pop(work, 0), 0)
        else:
            for result in self._results(work, results):
                self._account(work, result)
                work.take(result)
        self._asked -= isinstance(results, Future)
        self._waiting.popleft()

    def _results(self, work: Work, results: Future[Results] | Results) -> Results:
        if isinstance(results, list):
            return results
        try:
            return results.result()
        except SagedockError as error:  # an object that could not be read while it was sent
            work.fail(error)
            return []

    def _account(self, work: Work, result: Scored | Refused) -> None:
        if isinstance(result, Refused):
            self._progress.advance(0, 0, 1)
            return
        if result.reply.status == NO_ANSWER and (reason := self._gone()) is not None:
            raise PlatformError(reason)
        position = max(result.batch.position, self._positions.get(work, 0))
        answered = result.batch.count if result.reply.good else 0
        self._progress.advance(position - self._positions.get(work, 0), answered)
        self._positions[work] = position
