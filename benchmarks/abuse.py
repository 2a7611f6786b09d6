"""What normal clients notice of 200 clients that send a byte a second: p99 with them against p99 without.

    python -m benchmarks.abuse --rounds 3 --seconds 5

One server (`sagedock serve`, two workers, the model of serving.py). Normal clients send one CSV row in a request, in an
open loop at a fixed rate (`--rate`, by default a tenth of what a closed loop gets), so that a latency begins when the
request was due. Each round measures without slow clients, then with them, half of which send a request's head and
half a body byte by byte; medians are printed. A server that passes answers both alike (below twice the quiet p99).
The slow clients are a process of their own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.synchronize
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving import SERVERS, Running, csv_body, start, train
from sagedock.local.load import Exchange, Load, LoadClient
from sagedock.local.measurement import Measurement

HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
SLOW_HEAD = HEAD + b"Content-Length: 4\r\n\r\n"
SLOW_BODY = b"1,2,3,4,5,6,7,8,9,10," * 40


def drip(port: int, count: int, stop: multiprocessing.synchronize.Event) -> None:
    """Hold `count` connections open, a byte a second on each; one that the server closes is opened again."""
    clients: list[tuple[socket.socket, bytes]] = []
    second = 0
    while not stop.wait(1.0 if clients else 0.0):
        while len(clients) < count:
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            text = SLOW_HEAD
            if len(clients) % 2:
                client.sendall(HEAD + f"Content-Length: {len(SLOW_BODY)}\r\n\r\n".encode())
                text = SLOW_BODY
            clients.append((client, text))
        for pair in list(clients):
            client, text = pair
            try:
                client.sendall(text[second % len(text) :][:1])
            except OSError:
                clients.remove(pair)
        second += 1
    for client, _ in clients:
        client.close()


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=drip, args=(port, count, stop))
    process.start()
    time.sleep(2)  # until all are connected and have begun
    try:
        yield
    finally:
        stop.set()
        process.join()


def shown(name: str, measured: list[Measurement]) -> float:
    """Print the medians of several measurements; returns the p99 in ms."""
    p50, p99 = (statistics.median(values) for values in zip(*((m.p50_ms, m.p99_ms) for m in measured), strict=True))
    errors = sum(m.error_count for m in measured)
    rate = statistics.median(m.rate for m in measured)
    print(f"| {name} | {rate:.0f} | {p50:.2f} | {p99:.2f} | {errors} |")
    return p99


def measure(running: Running, body: str, options: argparse.Namespace) -> None:
    expected = running.answer(body).encode()
    exchange = Exchange.post("/invocations", body.encode(), "text/csv", expected)
    quiet, abused = [], []
    with LoadClient() as client:
        full = client.measure(Load(running.port, [exchange], 16, 2.0))
        load = Load(running.port, [exchange], 64, options.seconds, options.rate or full.rate / 10)
        for _ in range(options.rounds):
            quiet.append(client.measure(load))
            with slow_clients(running.port, options.slow):
                abused.append(client.measure(load))
    print(f"rate {load.rate:.0f} requests/s\n\n| clients | req/s | p50 ms | p99 ms | errors |\n|---|---|---|---|---|")
    before = shown("normal ones alone", quiet)
    after = shown(f"beside {options.slow} slow ones", abused)
    print(f"\np99 beside slow clients, times the quiet p99: {after / before:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument("--slow", type=int, default=200, help="clients that send a byte a second")
    parser.add_argument("--rate", type=float, help="requests per second of the normal clients")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, _, features = train(Path(folder))
        running = start(SERVERS[0], model)
        try:
            measure(running, csv_body(features[:1].astype(float).round(4).tolist()), options)
        finally:
            running.stop()


if __name__ == "__main__":
    main()
