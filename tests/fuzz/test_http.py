"""Issue 3 item 5: 100,000 mutated HTTP requests to a real server: no crash, no 5xx, no hang, no half an answer.

More on demand: SAGEDOCK_FUZZ_INPUTS and SAGEDOCK_FUZZ_SEED, as for the parsers.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fuzz.mutation import Mutator
from tests.serving.models import write_model
from tests.serving.process import PATIENCE_SECONDS, Server
from tests.serving.wire import answers, assert_well, chunked, head, post

INPUTS = int(os.environ.get("SAGEDOCK_FUZZ_INPUTS", "100000"))
SEED = int(os.environ.get("SAGEDOCK_FUZZ_SEED", "0"))
CLIENTS = 4
ROW = b"1,2,3,4,5\n"
SEEDS = (
    post(ROW),
    post(ROW, b"Expect: 100-continue", b"Accept: application/json;q=0.5, */*"),
    post(b'{"instances": [[1,2,3,4,5]]}', b"X-Amzn-SageMaker-Custom-Attributes: a"),
    head(b"Transfer-Encoding: chunked") + chunked(ROW[:4], ROW[4:]),
    head(b"Content-Length: 10", b"Connection: close") + ROW,
    b"GET /ping HTTP/1.1\r\nHost: t\r\n\r\n",
    b"GET /execution-parameters?a=b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"DELETE /models/a%2fb HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n",
    b"HEAD http://t/ping HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
)
TOKENS = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b":", b" ", b"\t", b"\0", b"\xff", b";", b"%00", b"HTTP/1.1", b"Host: "),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"ffffffff\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\n"),
    *(b"POST ", b"CONNECT ", b"/invocations"),
)


def talk(address: tuple[str, int], data: bytes) -> bytes:
    """Everything that comes back; a server that hangs fails by the time-out."""
    received = b""
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65536):
                received += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
    return received


def without_bodies(received: bytes) -> list[int]:
    """The statuses alone: an answer to HEAD says a length and has no body."""
    return [int(line[9:12]) for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def attack(address: tuple[str, int], seed: int, count: int) -> Counter[int]:
    statuses: Counter[int] = Counter()
    for data in Mutator(SEEDS, TOKENS, seed).inputs(count):
        received = talk(address, data)
        if b"HEAD " in data:
            statuses.update(without_bodies(received))
        else:
            statuses.update(reply.status for reply in answers(received))
    return statuses


@pytest.mark.slow
def test_mutated_requests(tmp_path: Path) -> None:
    with Server(write_model(tmp_path)) as server, ThreadPoolExecutor(CLIENTS) as pool:
        server.wait_ready()
        workers, address = server.workers, ("127.0.0.1", server.port)
        work = [pool.submit(attack, address, SEED * CLIENTS + n, INPUTS // CLIENTS) for n in range(CLIENTS)]
        statuses = sum((done.result() for done in work), Counter())
        assert statuses.total() > INPUTS * 0.8
        assert statuses[200] > INPUTS // 100, "nothing got through to be answered"
        assert not {status for status in statuses if status >= 500} - {501}, statuses
        assert server.workers == workers
        assert "Traceback" not in server.output
        assert_well(server)
