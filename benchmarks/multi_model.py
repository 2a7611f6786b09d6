"""What a hot model costs among many: a multi-model server beside a single-model one, in turn, in one run.

    python -m benchmarks.multi_model --rounds 3 --seconds 4

Both hold the model of benchmarks/serving.py, with one worker process and as many inference threads each, and answer the
same records, sent by wrk. The multi-model server holds 20 more models; it is measured while nothing else
goes on, and while those are unloaded and loaded again, `--loads` a second. The servers take turns within each round;
medians are printed, and their ratios to the single-model server. Needs wrk (Debian package `wrk`) and Linux.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.serving import CASES, Running, Server, csv_body, load, middle, start, train

OTHERS = 20
MEASURES = ("cpu_us", "p50_ms", "p99_ms")
COMMON = f"SAGEDOCK_INFERENCE_THREADS=2 {sys.executable} -m sagedock serve"
SINGLE = Server("single-model", f"env SAGEMAKER_MODEL_SERVER_WORKERS=1 {COMMON}", "sagedock")
MULTI = Server("multi-model", f"env SAGEMAKER_MULTI_MODEL=true {COMMON}", "sagedock", path="/models/hot/invoke")


def manage(running: Running, method: str, path: str, document: object = None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.request(method, path, None if document is None else json.dumps(document))
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{method} {path} answered {response.status}: {text[:300]}")


def load_model(running: Running, models: Path, name: str) -> None:
    manage(running, "POST", "/models", {"model_name": name, "url": str(models / name / "model")})


@contextmanager
def churning(running: Running, models: Path, loads_per_second: float) -> Iterator[list[float]]:
    """While the block runs, other models are unloaded and loaded in turn; yields the seconds that each load took."""
    stop, seconds = threading.Event(), list[float]()

    def work() -> None:
        while not stop.wait(max(0.0, 1 / loads_per_second - (seconds[-1] if seconds else 0))):
            name = f"other-{len(seconds) % OTHERS}"
            manage(running, "DELETE", f"/models/{name}")
            began = time.perf_counter()
            load_model(running, models, name)
            seconds.append(time.perf_counter() - began)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seconds
    finally:
        stop.set()
        thread.join()


def unpack(model: Path, base: Path) -> Path:
    """The hot model and the others below `base`/models, as the platform unpacks them; returns that directory."""
    for name in ["hot", *(f"other-{number}" for number in range(OTHERS))]:
        shutil.copytree(model.parent, base / "models" / name / "model")
    (base / "model").mkdir()
    return base / "models"


def view(running: Running, name: str) -> Running:
    """The same server under another name, with measurements of its own."""
    return replace(running, server=replace(running.server, name=name), measured=defaultdict(lambda: defaultdict(list)))


def report(single: Running, others: Sequence[Running]) -> None:
    print("| case | server | CPU us | p50 ms | p99 ms | CPU ratio | p50 ratio | p99 ratio |\n|" + "---|" * 8)
    for case in CASES:
        own = [middle(single.measured[case], name) for name in MEASURES]
        for running in (single, *others):
            found = [middle(running.measured[case], name) for name in MEASURES]
            ratios = (figure / of_single for figure, of_single in zip(found, own, strict=True))
            cells = [*(f"{figure:.4g}" for figure in found), *(f"{ratio:.2f}" for ratio in ratios)]
            print(f"| {case} | {running.server.name} | {' | '.join(cells)} |")


def measure(servers: Sequence[Running], models: Path, options: argparse.Namespace, rows: list[list[float]]) -> int:
    """All rounds; returns how many models were loaded meanwhile."""
    single, quiet, busy = servers
    scratch, loads = models.parent, 0
    for _ in range(options.rounds):
        for case in CASES:
            body = csv_body(rows[: case.rows])
            load(single, case, body, options.seconds, scratch)
            load(quiet, case, body, options.seconds, scratch)
            with churning(busy, models, options.loads) as seconds:
                load(busy, case, body, options.seconds, scratch)
            loads += len(seconds)
    return loads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="length of one run of wrk")
    parser.add_argument("--loads", type=float, default=5.0, help="models unloaded and loaded a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "single").mkdir()
        model, _, features = train(base / "single")
        models = unpack(model, base / "multi")
        rows = features.astype(float).round(4).tolist()
        started: list[Running] = []
        try:
            started.append(start(SINGLE, model))
            started.append(start(MULTI, base / "multi" / "model" / model.name))
            single, multi = started
            for directory in sorted(models.iterdir()):
                load_model(multi, models, directory.name)
            if single.answer(csv_body(rows)) != multi.answer(csv_body(rows)):
                raise SystemExit("the two servers disagree")
            others = [view(multi, f"multi-model, {kind}") for kind in ("quiet", "others loading")]
            loads = measure([single, *others], models, options, rows)
            report(single, others)
            print(f"\n{loads} models were loaded meanwhile, {options.loads:g} a second were asked for")
        finally:
            for running in started:
                running.stop()


if __name__ == "__main__":
    main()
