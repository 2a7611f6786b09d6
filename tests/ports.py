"""Ports for what tests start: nobody else takes one between its choice and its use.

Linux hands out ports from 32768 on, to servers that ask for any and to clients. These are below, and each of the
workers that share the tests has its own.
"""

from __future__ import annotations

import itertools
import os
import socket

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_OWN = range(10_240 + _WORKER, 32_768, _WORKERS)
_NEXT = itertools.cycle(itertools.chain(_OWN[os.getpid() % len(_OWN) :], _OWN[: os.getpid() % len(_OWN)]))


def free_port() -> int:
    """A port that is free at every address of this machine; another one each time."""
    for port in itertools.islice(_NEXT, len(_OWN)):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
