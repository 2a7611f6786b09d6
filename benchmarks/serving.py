"""What one prediction costs over HTTP: sagedock and named peers, in turn, in one run.

    python benchmarks/serving.py --rounds 3 --seconds 4

All servers hold one model (100 trees of depth 6, 20 columns) and answer the same records, 1 or 1,000 in a request; a
first request checks that each gives XGBoost's own answers. wrk sends them over 8 or 32 connections. CPU is user plus
system time of the server's whole process tree, divided by the requests answered; memory is the proportional share (PSS)
after the load, of the tree and of its largest process; readiness is from the start of the process to its first good
health check. The servers take turns within each round, and medians are printed. The load client of `sagedock plan` then
measures sagedock again, as a second opinion. Peers are installed by requirements/bench.in into .venv-bench; those of a
package that is absent are left out, and said so. Needs wrk (Debian package `wrk`) and Linux.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.metadata
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xgboost

from sagedock.local.load import Exchange, Load, LoadClient

ROOT = Path(__file__).parents[1]
PEER_ENVIRONMENT = ROOT / ".venv-bench"
COLUMNS = 20
START_SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")
Rows = Sequence[Sequence[float]]


def csv_body(rows: Rows) -> str:
    return "".join(",".join(map(repr, row)) + "\n" for row in rows)


def csv_with_header(rows: Rows) -> str:
    return ",".join(f"f{number}" for number in range(COLUMNS)) + "\n" + csv_body(rows)


def figures(text: str) -> list[float]:
    """Every number of an answer, whatever stands around them."""
    return [float(found) for found in re.findall(r"\d\.\d+(?:e-\d+)?", text)]


@dataclass(frozen=True)
class Case:
    """So many records in a request, over so many connections."""

    rows: int
    connections: int

    def __str__(self) -> str:
        return f"{self.rows:,} row{'s' if self.rows > 1 else ''} at {self.connections}"


CASES = (Case(1, 8), Case(1, 32), Case(1000, 8))


@dataclass(frozen=True)
class Server:
    """How a server is started ({python}, {bin}, {port} and {model} are filled in) and asked."""

    name: str
    command: str
    package: str
    path: str = "/invocations"
    ping: str = "/ping"
    content_type: str = "text/csv"
    body: Callable[[Rows], str] = csv_body
    prepare: str | None = None


SERVERS = (
    Server("sagedock", f"{sys.executable} -m sagedock serve", "sagedock"),
    Server(
        "AWS's XGBoost app, re-created (gunicorn gevent x2)",
        "{bin}/gunicorn -k gevent -w 2 -b 127.0.0.1:{port} benchmarks.peers.aws:app",
        "gevent",
    ),
    Server(
        "flask + pandas (gunicorn sync x2)",
        "{bin}/gunicorn -k sync -w 2 -b 127.0.0.1:{port} benchmarks.peers.flask_pandas:app",
        "gunicorn",
    ),
    Server(
        "bare ASGI (uvicorn x2)",
        "{bin}/uvicorn benchmarks.peers.asgi:app --workers 2 --port {port} --log-level warning",
        "uvicorn",
    ),
    Server(
        "mlflow models serve x2",
        "{bin}/mlflow models serve -m {model}-mlflow -p {port} -w 2 --env-manager local",
        "mlflow",
        body=csv_with_header,
        prepare="{bin}/python -m benchmarks.peers.mlflow_model {model}-mlflow",
    ),
    Server(
        "BentoML x2",
        "{bin}/bentoml serve benchmarks.peers.bento:Churn -p {port}",
        "bentoml",
        ping="/readyz",
        content_type="application/json",
        body=lambda rows: json.dumps({"body": csv_body(rows)}),
    ),
    Server(
        "LitServe (JSON rows, 1 worker)",
        "{bin}/python -m benchmarks.peers.lit",
        "litserve",
        path="/predict",
        ping="/health",
        content_type="application/json",
        body=lambda rows: json.dumps({"instances": rows}),
    ),
)


@dataclass
class Running:
    """One server's process group, and what was measured of it."""

    server: Server
    port: int
    process: subprocess.Popen[bytes]
    ready_seconds: list[float]
    measured: dict[Case, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def tree(self) -> list[int]:
        """The process and all its descendants."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
            except OSError:  # it ended meanwhile
                continue
        found = {self.process.pid}
        while added := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= added
        return sorted(found)

    def cpu_seconds(self) -> float:
        ticks = 0
        for pid in self.tree():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def pss_megabytes(self) -> list[float]:
        """Of each process of the tree."""
        texts = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.tree())
        return [int(kibibytes) / 1024 for text in texts for kibibytes in re.findall(r"(?m)^Pss:\s+(\d+)", text)]

    def answer(self, body: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", self.server.path, body, {"Content-Type": self.server.content_type})
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise SystemExit(f"{self.server.name} answered {response.status}: {text[:300]}")
        return text

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def train(directory: Path) -> tuple[Path, xgboost.Booster, np.ndarray]:
    """The model in `directory`/model, and 1,000 records to ask it."""
    features = np.random.default_rng(0).normal(size=(4000, COLUMNS)).round(4).astype(np.float32)
    labels = features[:, 0] + features[:, 1] * features[:, 2] > 0
    settings = {"objective": "binary:logistic", "max_depth": 6, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(features, labels), 100)
    (directory / "model").mkdir()
    booster.save_model(directory / "model" / "xgboost-model.ubj")
    return directory / "model" / "xgboost-model.ubj", booster, features[:1000]


def start(server: Server, model: Path) -> Running:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "MODEL": str(model),
        "PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "SAGEMAKER_BASE_DIR": str(model.parents[1]),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
        "PATH": f"{PEER_ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
    }
    names = {"bin": PEER_ENVIRONMENT / "bin", "port": port, "model": model}
    if server.prepare:
        command = server.prepare.format(**names).split()
        subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
    log = (model.parents[1] / f"{port}.log").open("wb")
    began = time.perf_counter()
    command = server.command.format(**names).split()
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    while not healthy(port, server.ping):
        if process.poll() is not None or time.perf_counter() - began > START_SECONDS:
            raise SystemExit(f"{server.name} did not start: {Path(log.name).read_text()[-2000:]}")
        time.sleep(0.01)
    return Running(server, port, process, [time.perf_counter() - began])


def start_again(server: Server, model: Path, starts: int) -> Running:
    """Start `starts` times; the last one stays, with the times of all."""
    ready = []
    for _ in range(starts - 1):
        running = start(server, model)
        running.stop()
        ready += running.ready_seconds
    running = start(server, model)
    running.ready_seconds += ready
    return running


def healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def load(running: Running, case: Case, body: str, seconds: int, scratch: Path) -> None:
    """One run of wrk; adds its figures to what was measured."""
    (scratch / "body").write_text(body)
    script = scratch / "post.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = io.open("{scratch / "body"}"):read("*a")\n'
        f'wrk.headers["Content-Type"] = "{running.server.content_type}"\n'
    )
    address = f"http://127.0.0.1:{running.port}{running.server.path}"
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "--latency", "-s", str(script), address]
    before = running.cpu_seconds()
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = running.cpu_seconds() - before
    if "Non-2xx" in text:
        raise SystemExit(f"{running.server.name} refused requests under load:\n{text}")
    count = int(found(r"(\d+) requests in", text))
    measured = running.measured[case]
    measured["cpu_us"].append(spent / count * 1e6)
    measured["rps"].append(float(found(r"Requests/sec:\s+([\d.]+)", text)))
    for name, share in (("p50_ms", "50%"), ("p99_ms", "99%")):
        measured[name].append(milliseconds(found(rf"(?m)^\s+{share}\s+(\S+)", text)))


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk did not print {pattern}:\n{text}")
    return match[1]


def milliseconds(text: str) -> float:
    for unit, factor in (("us", 1e-3), ("ms", 1.0), ("s", 1e3)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(text)


def available(servers: Sequence[Server]) -> list[Server]:
    """The servers that can run here; the others are named on stderr."""
    folders = [str(folder) for folder in PEER_ENVIRONMENT.glob("lib/*/site-packages")]
    installed = {found.metadata["Name"].lower() for found in importlib.metadata.distributions(path=folders)}
    chosen = [server for server in servers if server.package == "sagedock" or server.package in installed]
    for server in servers:
        if server not in chosen:
            sys.stderr.write(f"left out, {server.package} is not in {PEER_ENVIRONMENT.name}: {server.name}\n")
    return chosen


def report(servers: Sequence[Running]) -> None:
    heads = (f"{case}: CPU us | req/s | p50 ms | p99 ms" for case in CASES)
    print("| server | ready s | PSS MB | largest process | " + " | ".join(heads) + " |")
    print("|---" * (4 + 4 * len(CASES)) + "|")
    for running in servers:
        memory = running.pss_megabytes()
        cells = [running.server.name, f"{statistics.median(running.ready_seconds):.2f}"]
        cells += [f"{sum(memory):.0f}", f"{max(memory):.0f}"]
        for case in CASES:
            cells += [f"{middle(running.measured[case], name):.4g}" for name in ("cpu_us", "rps", "p50_ms", "p99_ms")]
        print(f"| {' | '.join(cells)} |")
    print("\nCPU per request, times that of sagedock:")
    for running in servers[1:]:
        ratios = ", ".join(
            f"{case} {middle(running.measured[case], 'cpu_us') / middle(servers[0].measured[case], 'cpu_us'):.2f}"
            for case in CASES
        )
        print(f"  {running.server.name}: {ratios}")


def second_opinion(running: Running, bodies: Mapping[Case, str], seconds: int) -> None:
    """The same server, measured by the load client of `sagedock plan`."""
    print("\nthe load client of sagedock plan, on sagedock:")
    with LoadClient() as client:
        for case, body in bodies.items():
            expected = running.answer(body).encode()
            exchange = Exchange.post(running.server.path, body.encode(), running.server.content_type, expected)
            before = running.cpu_seconds()
            found = client.measure(Load(running.port, [exchange], case.connections, seconds))
            cost = (running.cpu_seconds() - before) / found.answers * 1e6
            print(
                f"  {case}: CPU us {cost:.4g}, req/s {found.rate:.4g}, p50 ms {found.p50_ms:.3g}, p99 ms "
                f"{found.p99_ms:.3g}, errors {found.error_count}, the client's own CPU us "
                f"{found.client_cpu_seconds / found.answers * 1e6:.3g}"
            )


def middle(measured: Mapping[str, list[float]], name: str) -> float:
    return statistics.median(measured[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="length of one run of wrk")
    parser.add_argument("--starts", type=int, default=3, help="starts of each server, for its time to be ready")
    parser.add_argument("--only", action="append", help="measure sagedock and the peers whose name holds this text")
    options = parser.parse_args()
    servers = available(SERVERS)
    if options.only:
        wanted = ["sagedock", *options.only]
        servers = [server for server in servers if any(text in server.name for text in wanted)]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        model, booster, features = train(scratch)
        expected = booster.inplace_predict(features)
        bodies = {case: features[: case.rows].astype(float).round(4).tolist() for case in CASES}
        started: list[Running] = []
        try:
            for server in servers:
                started.append(start_again(server, model, options.starts))
                answers = figures(started[-1].answer(server.body(features.astype(float).tolist())))
                np.testing.assert_allclose(answers, expected, rtol=1e-5, err_msg=server.name)
            for _ in range(options.rounds):
                for running in started:
                    for case, rows in bodies.items():
                        load(running, case, running.server.body(rows), options.seconds, scratch)
            report(started)
            second_opinion(started[0], {case: csv_body(rows) for case, rows in bodies.items()}, options.seconds)
        finally:
            for running in started:
                running.stop()


if __name__ == "__main__":
    main()
