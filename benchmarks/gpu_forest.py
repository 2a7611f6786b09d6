"""How fast a random cut forest scores rows on a GPU, beside the compiled core on one processor, and how equal they are.

Seconds are of the wall; the rows are in memory, and the scores come back to it. Needs a GPU that torch sees.

.venv/bin/python -m benchmarks.gpu_forest
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sagedock.algorithms.randomcutforest.cuda import CudaForest
from sagedock.algorithms.randomcutforest.forest import build

TREES, SAMPLES = 100, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, nargs="+", default=[1, 10, 48])
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    print(torch.cuda.get_device_name())
    chance = np.random.default_rng(0)
    for columns in options.columns:
        forest = build(chance.normal(size=(TREES, SAMPLES, columns)).astype(np.float32), 0)
        points = chance.normal(size=(options.rows, columns)).astype(np.float32)
        on_gpu = CudaForest(forest)
        on_gpu.scores(points[:1000])
        gpu, scores = _timed(lambda on_gpu=on_gpu, points=points: on_gpu.scores(points))
        some = points[: options.rows // 10]
        core, others = _timed(lambda forest=forest, some=some: forest.scores(some, threads=1))
        worst = np.abs(scores[: len(some)] - others).max()
        rates = f"{len(points) / gpu:12,.0f} rows/s, core {len(some) / core:10,.0f}"
        print(f"{columns:3} columns: {rates}, worst difference {worst:.1e}", flush=True)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


if __name__ == "__main__":
    main()
