"""What one score of a random cut forest costs over HTTP, beside one prediction of XGBoost, in turn, in one run.

    python -m benchmarks.cut_forest_serving --rounds 5 --seconds 3

Two servers of two workers each: XGBoost's model is that of serving.py (100 trees of depth 6), the forest has 100 trees
of 256 samples; both are sent the same rows of text/csv, of as many columns as --columns says, and answer by default
(CSV and JSON). wrk sends the load; CPU is user plus system time of the whole process tree for each request. "first
answer" is from sending the first request after the first good health check, and "cold" from the first line of loading
the model to its first score in a new process, without a server and without the warm-up that a server does.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xgboost

from benchmarks.serving import SERVERS, Case, Running, Server, csv_body, load, middle, start
from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.forest import build
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel
from sagedock.contracts import manifest

CASES = (Case(1, 8), Case(1, 32), Case(1000, 8))
COLD = """
import sys, time
from pathlib import Path
from sagedock.contracts.hosting import InferenceOptions
from sagedock.formats.media_types import parse_media_type
from sagedock.algorithms.randomcutforest.model import load
body, kind = sys.argv[2].encode(), parse_media_type("text/csv")
began = time.perf_counter()
model = load(Path(sys.argv[1]), None, InferenceOptions())
loaded = time.perf_counter()
model.predict(model.read(body, kind))
print((loaded - began) * 1000, (time.perf_counter() - loaded) * 1000)
"""


def xgboost_model(base: Path, rows: np.ndarray) -> Path:
    labels = rows[:, 0] + rows[:, 1] * rows[:, 2] > 0
    settings = {"objective": "binary:logistic", "max_depth": 6, "nthread": 1}
    (base / "model").mkdir(parents=True)
    xgboost.train(settings, xgboost.DMatrix(rows, labels), 100).save_model(base / "model" / "xgboost-model.ubj")
    return base / "model" / "xgboost-model.ubj"


def forest_model(base: Path, rows: np.ndarray) -> Path:
    directory = base / "model"
    directory.mkdir(parents=True)
    model = RandomCutForestModel(Detector(build(rows[: 100 * 256].reshape(100, 256, -1), 0)))
    files = {name: manifest.sha256(directory / name) for name in model.save(directory)}
    manifest.write(directory, manifest.Manifest("randomcutforest", {}, {}, model.describe(), files))
    return directory / "model_algo-1"


def first_answer(running: Running, body: str) -> float:
    """Milliseconds of the first request after the start."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.connect()
    began = time.perf_counter()
    connection.request("POST", "/invocations", body, {"Content-Type": "text/csv"})
    assert connection.getresponse().status == 200
    return (time.perf_counter() - began) * 1000


def cold(model: Path, body: str) -> tuple[float, float]:
    """Milliseconds of loading and of the first score in a process of its own."""
    command = [sys.executable, "-c", COLD, str(model.parent), body]
    loading, scoring = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(loading), float(scoring)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--columns", type=int, default=20)
    options = parser.parse_args()
    rows = np.random.default_rng(0).normal(size=(100 * 256, options.columns)).round(4).astype(np.float32)
    bodies = {case: csv_body(rows[: case.rows].astype(float).round(4).tolist()) for case in CASES}
    (ours,) = [server for server in SERVERS if server.name == "sagedock"]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        models = {
            "XGBoost": xgboost_model(scratch / "xgboost", rows[:4000]),
            "random cut forest": forest_model(scratch / "forest", rows),
        }
        firsts: list[float] = []
        for _ in range(options.starts - 1):
            running = start(ours, models["random cut forest"])
            firsts.append(first_answer(running, bodies[CASES[0]]))
            running.stop()
        started = [start(Server(name, ours.command, ours.package), model) for name, model in models.items()]
        try:
            firsts.append(first_answer(started[1], bodies[CASES[0]]))
            for _ in range(options.rounds):
                for case, body in bodies.items():
                    for running in started:
                        load(running, case, body, options.seconds, scratch)
            print(f"{options.columns} columns\n")
            print("| requests | XGBoost CPU us | forest CPU us | times XGBoost |\n|---|---|---|---|")
            for case in CASES:
                trees, forest = (middle(running.measured[case], "cpu_us") for running in started)
                pairs = zip(*(running.measured[case]["cpu_us"] for running in started), strict=True)
                ratio = statistics.median(second / first for first, second in pairs)
                print(f"| {case} | {trees:.4g} | {forest:.4g} | {ratio:.2f} |")
        finally:
            for running in started:
                running.stop()
        times = [cold(models["random cut forest"], bodies[CASES[0]]) for _ in range(options.starts)]
        loading, scoring = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"\nfirst answer after the start: {statistics.median(firsts):.2f} ms, worst {max(firsts):.2f} ms")
        print(f"cold: loading {loading:.1f} ms, first score {scoring:.1f} ms")


if __name__ == "__main__":
    main()
