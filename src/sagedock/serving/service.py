"""From a request to its answer: the routes that need no web framework, and the threads that inference has.

Small requests to compiled models are answered on the loop itself, since handing them to a thread would take longer than
answering them. Everything else is done by threads, so that the loop, and with it /ping, waits for nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeVar

from sagedock.contracts.hosting import HostingSettings
from sagedock.errors import SagedockError
from sagedock.serving import errors
from sagedock.serving.answer import Answer
from sagedock.serving.metrics import CONTENT_TYPE as METRICS_TYPE
from sagedock.serving.metrics import exposition
from sagedock.serving.request import ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, INFERENCE_ID, Request
from sagedock.serving.scoreboard import Scoreboard, Slot

if TYPE_CHECKING:  # Flask answers the management routes, and is imported where they are served only
    from sagedock.serving.management import Management

IN_LINE_BYTES = 32 * 1024
"""Larger bodies go to a thread even where the model answers in line."""
IN_LINE_TYPES = (b"text/csv", b"application/json")
"""Beginnings of the types that are read without loading a library first."""

ROUTES = {
    "/ping": ("GET", "HEAD", "POST"),
    "/execution-parameters": ("GET",),
    "/invocations": ("POST",),
    "/metrics": ("GET",),
}

Deliver = Callable[[Answer], None]
Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Use(Protocol):
    """A model held for one invocation; as a context manager it is let go at the end."""

    def __enter__(self) -> Use: ...

    def __exit__(self, *_: object) -> None: ...

    def invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer the invocation; raises SagedockError, also where there is no model."""


class Models(Protocol):
    """Where invocations go: the one model (`sagedock.serving.endpoint`), or several."""

    @property
    def ready(self) -> bool:
        """What /ping says."""

    def serves(self, path: str) -> bool:
        """Whether a POST to `path` is an invocation."""

    def at_once(self, path: str, size: int) -> Use | None:
        """The model of `path` where it answers a body of `size` bytes without waiting for anything, in little time."""

    def when_ready(self, path: str, action: Callable[[Use], object]) -> None:
        """Run `action` once the model of `path` has loaded, or could not be; from any thread, perhaps at once."""


class Service:
    """The answers of one worker; `management` answers what is no route of ours, where many models are served."""

    def __init__(
        self,
        models: Models,
        settings: HostingSettings,
        scoreboard: Scoreboard,
        slot: Slot,
        management: Management | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._models = models
        self._settings = settings
        self._scoreboard = scoreboard
        self._slot = slot
        self._management = management
        self._inference = ThreadPoolExecutor(settings.threads, thread_name_prefix="inference")
        self._parameters = json.dumps(settings.execution_parameters()).encode() + b"\n"

    def answer(self, request: Request, deliver: Deliver) -> Answer | None:
        """The answer at once, or None: then `deliver` gets it on the loop."""
        path = "/invocations" if request.target == b"/invocations" else request.path
        if request.method == b"POST" and self._models.serves(path):
            return self._invocation(path, request, deliver)
        return self._route(path, request, deliver)

    def proceed(self, answer: Answer, deliver: Callable[[bytes | None], None], fail: Callable[[], None]) -> None:
        """Make the next piece of `answer` in a thread and `deliver` it on the loop; None when there is none.

        `fail` is called instead when it cannot be made: the status is sent already, so the connection has to break.
        """

        def failed(error: Exception) -> None:
            log.error("an answer broke off between two of its pieces: %s", error)
            self._loop.call_soon_threadsafe(fail)

        def make() -> None:
            piece = next(answer.pieces, None) if answer.pieces is not None else None
            self._loop.call_soon_threadsafe(deliver, piece)

        self._inference.submit(guarded, make, failed)

    def end(self, answer: Answer) -> None:
        """Let go of what the pieces that are left would need."""
        close = getattr(answer.pieces, "close", None)
        if close is not None:
            close()

    def _invocation(self, path: str, request: Request, deliver: Deliver) -> Answer | None:
        arrived = time.perf_counter()
        self._slot.begun(len(request.body))
        if _is_small(request):
            use = self._models.at_once(path, len(request.body))
            if use is not None:
                return self._counted(self._invoked(use, request), request, arrived)

        def work(use: Use) -> None:
            answer = self._invoked(use, request)
            self._loop.call_soon_threadsafe(lambda: deliver(self._counted(answer, request, arrived)))

        self._models.when_ready(path, lambda use: self._inference.submit(work, use))
        return None

    def _counted(self, answer: Answer, request: Request, arrived: float) -> Answer:
        seconds = time.perf_counter() - arrived
        self._slot.ended(answer.status, len(answer.body), seconds)
        if self._settings.request_log and answer.status < HTTPStatus.BAD_REQUEST:
            fields = {
                "event": "request_answered",
                "status": int(answer.status),
                "seconds": round(seconds, 6),
                "inference_id": request.text(INFERENCE_ID),
            }
            log.info("%s", json.dumps(fields))
        return answer

    def _route(self, path: str, request: Request, deliver: Deliver) -> Answer | None:
        method = request.method.decode("latin-1")
        allowed = ROUTES.get(path)
        if allowed is None or (path == "/metrics" and not self._settings.metrics):
            return self._elsewhere(path, request, deliver)
        if method not in allowed:
            return _refused(HTTPStatus.METHOD_NOT_ALLOWED, method, path, allowed)
        if path == "/ping":
            return Answer(HTTPStatus.OK if self._models.ready else HTTPStatus.SERVICE_UNAVAILABLE)
        if path == "/execution-parameters":
            return Answer(HTTPStatus.OK, self._parameters, errors.JSON)
        if path == "/metrics":
            return Answer(HTTPStatus.OK, exposition(self._scoreboard.totals()), METRICS_TYPE)
        return _refused(HTTPStatus.NOT_FOUND, method, path)

    def _elsewhere(self, path: str, request: Request, deliver: Deliver) -> Answer | None:
        management = self._management
        method = request.method.decode("latin-1")
        if management is None:
            return _refused(HTTPStatus.NOT_FOUND, method, path)

        def manage() -> Answer:
            target = request.target.decode("latin-1")
            return management.answer(method, target, request.body, request.text(CONTENT_TYPE))

        def work() -> None:
            answer = guarded(manage, partial(_explained, request))
            self._loop.call_soon_threadsafe(deliver, answer)

        management.submit(method, work)
        return None

    def _invoked(self, use: Use, request: Request) -> Answer:
        return guarded(self._invoke, partial(_explained, request), use, request)

    def _invoke(self, use: Use, request: Request) -> Answer:
        with use:
            body = request.content(self._settings.max_payload_bytes)
            answer = use.invoke(body, request.text(CONTENT_TYPE), request.text(ACCEPT))
            return answer if request.takes_pieces else answer.in_one()


def _is_small(request: Request) -> bool:
    """Whether reading the body is worth no thread; a zipped one may be a thousand times as long as it looks."""
    headers = request.headers
    plain = CONTENT_ENCODING not in headers and headers.get(CONTENT_TYPE, b"").startswith(IN_LINE_TYPES)
    return plain and len(request.body) <= IN_LINE_BYTES


def guarded(work: Callable[..., Result], failed: Callable[[Exception], Result], *arguments: object) -> Result:
    """The outer edge of serving: whatever `work` raises ends in `failed`, what nobody foresaw in the log before."""
    try:
        return work(*arguments)
    except SagedockError as error:
        return failed(error)
    except Exception as error:
        log.exception("unexpected error")
        return failed(error)


def _refused(status: HTTPStatus, method: str, path: str, allowed: tuple[str, ...] = ()) -> Answer:
    message = (
        f"{method} {path[:200]}: {status.phrase}; this server has POST /invocations, GET /ping and "
        "GET /execution-parameters"
    )
    headers = (("Allow", ", ".join(allowed)),) if allowed else ()
    return Answer(status, errors.body(status, message), errors.JSON, headers=headers)


def _explained(request: Request, error: Exception) -> Answer:
    """One JSON answer and one line of the log."""
    status = errors.status_of(error)
    fields = {
        "event": "request_failed",
        "status": int(status),
        "error": type(error).__name__,
        "message": str(error)[: errors.LONGEST_MESSAGE],
        "content_type": request.text(CONTENT_TYPE),
        "accept": request.text(ACCEPT),
        "content_length": len(request.body),
        "inference_id": request.text(INFERENCE_ID),
    }
    level = logging.ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
    log.log(level, "%s", json.dumps(fields))
    return Answer(status, errors.body_of(error), errors.JSON)
