"""Shapes of endpoint besides the plain one: serverless and asynchronous."""

from __future__ import annotations

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving.held import HeldModel
from tests.serving.models import ARTEFACT, csv, records
from tests.serving.process import PATIENCE_SECONDS, PatientServer, Server, reply_of, wait_until


def test_one_process_is_enough(model_base: Path) -> None:
    """contract 3.9: serverless."""
    environment = {"SAGEDOCK_SINGLE_PROCESS": "true", "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    with PatientServer(model_base, environment) as server:
        assert server.wait_ready().workers == []
        assert server.invoke(csv(records(2))).status == 200
        assert server.ping().status == 200
        idle = server.connect()
        idle.request("GET", "/ping")
        assert reply_of(idle).status == 200
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not server.listens(), "it still accepts connections")
        idle.request("POST", "/invocations", csv(records(2)), {"Content-Type": "text/csv"})
        assert reply_of(idle).status == 200
        assert server.process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGHUP])
def test_the_terminal_ends_a_process_that_is_alone(model_base: Path, sent: signal.Signals) -> None:
    """Nobody else passes Ctrl-C on to it."""
    with Server(model_base, {"SAGEDOCK_SINGLE_PROCESS": "true"}) as server:
        server.wait_ready().process.send_signal(sent)
        assert server.process.wait(PATIENCE_SECONDS) == 0


def test_no_time_limit_of_ours_ends_a_long_request(model_base: Path) -> None:
    """contract 3.8, D28: the limit is on silence of the worker, and a worker that waits for its model is not silent."""
    limit = 5  # long enough for a worker that other processes keep from telling that it lives
    with (
        HeldModel(model_base / "model" / ARTEFACT) as held,
        Server(model_base, {"SAGEMAKER_MODEL_SERVER_TIMEOUT": str(limit)}) as server,
        ThreadPoolExecutor() as pool,
    ):
        wait_until(server.listens, "nothing listens", server)
        wait_until(lambda: len(server.workers) == 1, "no worker", server)
        workers = server.workers
        waiting = pool.submit(server.invoke, csv(records(1)))
        until = time.monotonic() + 2 * limit
        while time.monotonic() < until:
            assert server.ping().status == 503
            time.sleep(0.1)  # what is shown is how long the request takes
        assert not waiting.done()
        assert server.workers == workers
        held.release()
        assert waiting.result().status == 200


def test_connections_that_wait_to_be_accepted_are_answered_when_the_server_stops(model_base: Path) -> None:
    """Issue 3, abuse: what the kernel has accepted is ours, though the process has not seen it."""
    with PatientServer(model_base) as server:
        server.wait_ready()
        (worker,) = server.workers
        server.process.send_signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGSTOP)
        clients = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) for _ in range(64)]
        body = csv(records(1))
        head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: {len(body)}\r\n\r\n"
        for client in clients[:32]:
            client.sendall(head.encode() + body)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        os.kill(worker, signal.SIGCONT)
        for client in clients[32:]:
            client.sendall(head.encode() + body)
        answers = [client.recv(65536) for client in clients]
        assert [answer[:15] for answer in answers] == [b"HTTP/1.1 200 OK"] * 64
        for client in clients:
            client.close()
        assert server.process.wait(PATIENCE_SECONDS) == 0
