"""What a hot model costs among many: a multi-model server beside a single-model one, in turn, in one run.

    python -m benchmarks.multi_model --rounds 3 --seconds 4

Both hold the model of benchmarks/serving.py, with one worker process and as many inference threads each, and answer the
same records over 8 connections of wrk. The multi-model server holds 20 more models; it is measured while nothing else
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving import CASES, Running, Server, load, middle, start, train

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


def report(single: Running, multi: Running) -> None:
    print("| case | server | CPU us | p50 ms | p99 ms | CPU ratio | p50 ratio | p99 ratio |\n|" + "---|" * 8)
    for case in CASES:
        own = [middle(single.measured[case], name) for name in MEASURES]
        print(f"| {case} | {single.server.name} | " + " | ".join(f"{value:.4g}" for value in own) + " | | | |")
        for kind in ("quiet", "churning"):
            found = [middle(multi.measured[f"{case}, {kind}"], name) for name in MEASURES]
            cells = [*(f"{value:.4g}" for value in found), *(f"{a / b:.2f}" for a, b in zip(found, own, strict=True))]
            print(f"| {case} | {multi.server.name}, {kind} | {' | '.join(cells)} |")


def measure(single: Running, multi: Running, models: Path, options: argparse.Namespace, rows: list[list[float]]) -> int:
    """All rounds; returns how many models were loaded meanwhile."""
    scratch, loads = models.parent, 0
    for _ in range(options.rounds):
        for case, count in CASES.items():
            body = single.server.body(rows[:count])
            load(single, case, body, options.seconds, scratch)
            load(multi, f"{case}, quiet", body, options.seconds, scratch)
            with churning(multi, models, options.loads) as seconds:
                load(multi, f"{case}, churning", body, options.seconds, scratch)
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
            if single.answer(single.server.body(rows)) != multi.answer(multi.server.body(rows)):
                raise SystemExit("the two servers disagree")
            loads = measure(single, multi, models, options, rows)
            report(single, multi)
            print(f"\n{loads} models were loaded meanwhile, {options.loads:g} a second were asked for")
        finally:
            for running in started:
                running.stop()


if __name__ == "__main__":
    main()
