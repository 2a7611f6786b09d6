"""What the first prediction of a random cut forest takes in the CPU image: no network, and a root that is read-only.

    python -m benchmarks.first_prediction [--image sagedock:cpu] [--starts 5] [--columns 10]

The model has 100 trees of 256 samples. "first" is from sending the first request after /ping first answers 200 to its
whole answer, "later" the median of a hundred behind it, both on connections of their own from inside of the container.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.cut_forest_serving import forest_model

CLIENT = """
import http.client, sys, time
def asked(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=30)
    connection.connect()
    began = time.perf_counter()
    connection.request(method, path, body, {"Content-Type": "text/csv"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, (time.perf_counter() - began) * 1000
def ready():
    try:
        return asked("GET", "/ping")[0] == 200
    except OSError:
        return False
while not ready():
    time.sleep(0.002) # until the server listens
taken = [asked("POST", "/invocations", sys.argv[1]) for _ in range(101)]
assert {status for status, _ in taken} == {200}
print(taken[0][1], sorted(taken[1:])[50][1])
"""


def measured(image: str, model: Path, body: str) -> tuple[float, float]:
    """Milliseconds of the first prediction after a start, and of later ones."""
    shut = ["--rm", "--detach", "--network", "none", "--read-only", "--tmpfs", "/tmp"]
    command = ["docker", "run", *shut, "--volume", f"{model.parent}:/opt/ml/model:ro", image, "serve"]
    container = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        client = ["docker", "exec", container, "python3", "-c", CLIENT, body]
        first, later = subprocess.run(client, check=True, capture_output=True, text=True).stdout.split()
    finally:
        subprocess.run(["docker", "kill", container], check=True, capture_output=True)
    return float(first), float(later)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="sagedock:cpu")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--columns", type=int, default=10)
    options = parser.parse_args()
    rows = np.random.default_rng(0).normal(size=(100 * 256, options.columns)).round(4).astype(np.float32)
    body = ",".join(map(str, rows[0].tolist()))
    with tempfile.TemporaryDirectory() as folder:
        model = forest_model(Path(folder), rows)
        firsts, later = zip(*(measured(options.image, model, body) for _ in range(options.starts)), strict=True)
    print(f"first prediction: median {statistics.median(firsts):.1f} ms, worst {max(firsts):.1f} ms")
    print(f"later: median {statistics.median(later):.1f} ms")


if __name__ == "__main__":
    main()
