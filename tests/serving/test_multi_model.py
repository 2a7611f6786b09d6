"""A multi-model server under load: slow loads, long invocations, memory, and workers that are killed."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.serving.models import csv, records, write_constant, write_slow_model
from tests.serving.multi_model import MultiModelServer, hashed
from tests.serving.process import reply_of, wait_until
from tests.serving.wire import resident_bytes

MODELS = 20
BODY = csv(records(1))
HEADERS = {"Content-Type": "text/csv", "Accept": "text/csv"}
ENSEMBLE = {"SAGEMAKER_INFERENCE_ENSEMBLE": "true"}


def write_models(base: Path, count: int = MODELS) -> list[str]:
    """Models that answer their number; returns their names."""
    names = [hashed(number) for number in range(count)]
    for number, name in enumerate(names):
        write_constant(base / "models" / name / "model", number)
    return names


@pytest.fixture(scope="module")
def slow_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is slow to load and to ask, and a quick one."""
    base = tmp_path_factory.mktemp("slow")
    write_slow_model(base / "models" / "slow", copies=150)
    write_constant(base / "models" / "quick" / "model", 7)
    return base


@pytest.fixture
def slow(slow_base: Path) -> Iterator[MultiModelServer]:
    with MultiModelServer(slow_base, ENSEMBLE) as server:
        server.wait_ready()
        assert server.load("quick").status == 200
        yield server


def test_a_slow_load_holds_up_nobody(slow: MultiModelServer) -> None:
    """contract F12: pings, other models' invocations and management requests go on."""
    with ThreadPoolExecutor(1) as pool:
        for _ in range(5):  # loads, in case that this process does not run during the first
            loading = pool.submit(slow.load, "slow")
            rounds = 0
            while not loading.done():
                assert slow.ping().status == 200
                assert slow.ask("quick", BODY).body == b"7.0\n"
                assert slow.load("other", slow.url("quick")).status == 200
                assert "other" in slow.names()
                assert slow.unload("other").status == 200
                rounds += 1
            assert loading.result().status == 200
            if rounds > 3:
                break
            assert slow.unload("slow").status == 200
    assert rounds > 3


def test_a_running_invocation_is_answered_before_its_model_goes(slow: MultiModelServer) -> None:
    """contract F19"""
    assert slow.load("slow").status == 200
    body = csv(records(5_000))
    expected = slow.ask("slow", body)
    assert expected.status == 200
    with ThreadPoolExecutor(2) as pool:
        connection = slow.connect()
        connection.request("POST", "/models/slow/invoke", body, HEADERS)  # most of the body is with the server now
        unloading = pool.submit(slow.unload, "slow")
        wait_until(lambda: slow.get("slow").status == 404, "the unloading did not begin", slow)
        assert slow.ask("slow", BODY).status == 404
        assert slow.ask("quick", BODY).status == 200
        answer = reply_of(connection)
        assert answer.status in {200, 404}
        assert unloading.result().status == 200
        connection.close()
    if answer.status == 200:
        assert answer.body == expected.body


def test_memory_goes_back(slow: MultiModelServer) -> None:
    """contract F09: after the libraries are in memory, a model that is unloaded leaves nothing."""
    [worker] = slow.workers

    for _ in range(4):  # each in a thread of its own, that keeps some memory
        assert slow.load("slow").status == 200
        assert slow.unload("slow").status == 200
    before = resident_bytes(worker)
    for _ in range(2):
        assert slow.load("slow").status == 200
        during = resident_bytes(worker)
        assert slow.unload("slow").status == 200
    assert during - before > 4 << 20
    assert resident_bytes(worker) - before < 0.3 * (during - before)


def test_a_killed_worker_has_its_models_again(tmp_path: Path) -> None:
    """Issue 3, item 5: only its own requests fail. The server after this one begins without models."""
    names = write_models(tmp_path)
    with MultiModelServer(tmp_path) as server:
        server.wait_ready()
        for name in names:
            assert server.load(name).status == 200
        assert server.unload(names[0]).status == 200
        (tmp_path / "models" / names[1]).rename(tmp_path / "gone")
        [worker] = server.workers
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: server.workers not in ([], [worker]), "the worker was not replaced", server)
        for number, name in enumerate(names[2:], 2):
            assert server.ask(name, BODY).body == f"{number}.0\n".encode()
        wait_until(lambda: sorted(names[2:]) == server.names(), "a model is missing, or listed in vain", server)
        assert server.ask(names[1], BODY).status == 404
        assert server.load(names[2]).status == 409
        assert "model_dropped" in server.output
        assert server.stop() == 0
    with MultiModelServer(tmp_path) as server:
        assert server.wait_ready().names() == []


def _hammer(server: MultiModelServer, names: list[str], seed: int, requests: int) -> Counter[str]:
    """Random requests over one connection at a time; what came of them, mixed-up answers among it."""
    chance, seen = random.Random(seed), Counter[str]()
    connection = server.connect()
    for _ in range(requests):
        number, what = chance.randrange(len(names)), chance.random()
        name = names[number]
        try:
            if what < 0.1:
                document = json.dumps({"model_name": name, "url": server.url(name)})
                connection.request("POST", "/models", document, {"Content-Type": "application/json"})
            elif what < 0.15:
                connection.request("DELETE", f"/models/{name}")
            else:
                connection.request("POST", f"/models/{name}/invoke", BODY, HEADERS)
            reply = reply_of(connection)
        except (OSError, http.client.HTTPException):
            seen["broken"] += 1
            connection.close()
            connection = server.connect()
            continue
        right = what < 0.15 or reply.status != 200 or reply.body == f"{number}.0\n".encode()
        seen[str(reply.status) if right else "mixed up"] += 1
    connection.close()
    return seen


@pytest.mark.parametrize("environment", [{}, {"SAGEDOCK_MODEL_EVICTION": "lru", "SAGEDOCK_MODEL_MEMORY_IN_MB": "1"}])
def test_no_answer_is_lost_or_mixed_up(tmp_path: Path, environment: dict[str, str]) -> None:
    """Issue 3, item 2: concurrent load, unload and invoke; with `lru` the twenty models do not fit at once."""
    names = write_models(tmp_path)
    with MultiModelServer(tmp_path, environment) as server:
        server.wait_ready()
        for name in names[:10]:
            assert server.load(name).status == 200
        with ThreadPoolExecutor(8) as pool:
            seen = sum(pool.map(lambda seed: _hammer(server, names, seed, 300), range(8)), Counter[str]())
        assert set(seen) == {"200", "404", "409"}
        assert seen["200"] > 800
        [worker] = server.workers
        assert f"{worker}" not in re.findall(r"worker (\d+) ended", server.output)


def test_workers_that_are_killed_lose_only_their_own_requests(tmp_path: Path) -> None:
    """Issue 3, item 5: three workers killed under load; every answer that comes is right, and all models stay."""
    names = write_models(tmp_path)
    with MultiModelServer(tmp_path) as server:
        server.wait_ready()
        for name in names:
            assert server.load(name).status == 200
        stop = threading.Event()

        def ask(thread: int) -> Counter[str]:
            seen = Counter[str]()
            while not stop.is_set():
                number = (seen.total() + thread) % MODELS
                try:
                    reply = server.ask(names[number], BODY)
                except (OSError, http.client.HTTPException):
                    seen["broken"] += 1
                    continue
                right = (reply.status, reply.body) == (200, f"{number}.0\n".encode())
                seen["right" if right else f"{reply.status} {reply.body!r}"] += 1
            return seen

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, thread) for thread in range(4)]
            for _ in range(3):
                [worker] = server.workers
                os.kill(worker, signal.SIGKILL)
                wait_until(lambda killed=worker: server.workers not in ([], [killed]), "not replaced", server)
                assert server.ask(names[-1], BODY).status == 200
            stop.set()
            seen = sum((asked.result() for asked in asking), Counter[str]())
        assert set(seen) <= {"right", "broken"}, seen
        assert seen["right"] > 0
        assert server.names() == sorted(names)


def test_a_thousand_models(tmp_path: Path) -> None:
    """Issue 3, item 2: many small models in one process, under names that are long hashes."""
    write_models(tmp_path, 2)
    names = [hashed(f"copy {number}") for number in range(1000)]
    with MultiModelServer(tmp_path) as server:
        [worker] = server.wait_ready().workers
        descriptors = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        for number, name in enumerate(names):
            assert server.load(name, server.url(hashed(number % 2))).status == 200
        assert server.names() == sorted(names)
        for number, name in enumerate(names):
            assert server.ask(name, BODY).body == f"{number % 2}.0\n".encode()
        assert server.workers == [worker]
        assert len(list(Path(f"/proc/{worker}/task").iterdir())) < 64
        assert len(list(Path(f"/proc/{worker}/fd").iterdir())) < descriptors + 64
