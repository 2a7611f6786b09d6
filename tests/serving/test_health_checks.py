"""What many health checks leave behind."""

from __future__ import annotations

from pathlib import Path

from tests.serving.process import Server
from tests.serving.wire import resident_bytes


def resident(server: Server) -> int:
    """Resident memory of the server and its workers."""
    return sum(resident_bytes(pid) for pid in [server.process.pid, *server.workers])


def test_many_health_checks_grow_neither_memory_nor_log(model_base: Path) -> None:
    """contract D32: as many as come in a minute at five a second, after as many to warm up."""
    with Server(model_base) as server:
        server.wait_ready()
        assert all(server.ping().status == 200 for _ in range(300))
        before, log = resident(server), server.output
        assert all(server.ping().status == 200 for _ in range(300))
        assert resident(server) - before < 2 << 20
        assert server.output == log
