"""A server in a container of this machine: when it is ready, and why it is gone."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sagedock.errors import ModelError, PlatformError
from sagedock.local.server import REFUSAL

START_SECONDS = 480
"""A container has to become healthy within eight minutes (contract 3.3)."""
PING_SECONDS = 2
POLL_SECONDS = 0.1
LAST_LINES = 50


@dataclass(frozen=True)
class Served:
    """A container that serves on `port` of this machine."""

    running: Any
    port: int

    def gone(self) -> str | None:
        """Why there is no server any more, with the end of its log; None while there is one."""
        self.running.reload()
        if self.running.status == "running":
            return None
        return f"the container ended; its log ends:\n{self._log()}"

    def _log(self) -> str:
        return str(self.running.logs(tail=LAST_LINES).decode(errors="replace").rstrip())

    def wait_until_ready(self) -> None:
        """Wait until /ping answers 200.

        Raises ModelError with what our server says of a model it cannot serve, and PlatformError when the container
        ends or never gets there.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            ended = self.gone()
            if ended is not None:
                raise PlatformError(ended)
            said = self._log()
            if REFUSAL in said:
                raise ModelError(said.partition(REFUSAL)[2].splitlines()[0])
            if time.monotonic() > deadline:
                raise PlatformError(f"/ping did not answer 200 within {START_SECONDS} s; the log ends:\n{said}")
            time.sleep(POLL_SECONDS)

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PING_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
