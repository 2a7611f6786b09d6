"""Streams: points scored and then learnt, one after the other, beside krcf (AWS's Rust library under Python).

    .venv-bench/bin/python benchmarks/stream.py [--trees 100] [--samples 256] [--points 2000] [--rounds 5]

Both take turns in every round, one thread each; printed are medians over the rounds of points in a second of CPU time.
Rows are normally distributed, and either forest has seen as many as its trees hold, and 4,096 at least. Both let points
fade as fast: a tree forgets one after ten times as many as it holds. Ours follows all points in one call, and, in a
second column, each in a call of its own; krcf has one way, `score` and then `update`. `attributed` also tells what each
column adds. krcf is skipped where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

from sagedock import core
from sagedock.algorithms.randomcutforest.forest import build
from sagedock.algorithms.randomcutforest.stream import Stream

COLUMNS = (1, 10, 48)
LEARNT = 4096
Follow = Callable[[np.ndarray], object]


def ours(rows: np.ndarray, trees: int, samples: int) -> Stream:
    known = trees * samples
    return Stream.of(build(rows[:known].reshape(trees, samples, -1), 0), known, 0)


def alone(stream: Stream) -> Follow:
    return lambda points: [stream.follow(points[place : place + 1]) for place in range(len(points))]


def attributed(stream: Stream) -> Follow:
    return lambda points: stream.follow(points, np.empty(points.shape, np.float32))


def krcf(rows: np.ndarray, trees: int, samples: int) -> Follow:
    from krcf import RandomCutForest

    forest = RandomCutForest(
        {
            "dimensions": rows.shape[1],
            "shingle_size": 1,
            "num_trees": trees,
            "sample_size": samples,
            "random_seed": 1,
            "time_decay": 1 / (10 * samples),
        }
    )
    for row in rows[: max(LEARNT, samples)].tolist():
        forest.update(row)

    def follow(points: np.ndarray) -> None:
        for point in points.tolist():
            forest.score(point)
            forest.update(point)

    return follow


def peers(rows: np.ndarray, trees: int, samples: int) -> dict[str, Follow]:
    found: dict[str, Follow] = {
        "sagedock": ours(rows, trees, samples).follow,
        "a call for each": alone(ours(rows, trees, samples)),
        "attributed": attributed(ours(rows, trees, samples)),
    }
    if importlib.util.find_spec("krcf"):
        found["krcf"] = krcf(rows, trees, samples)
    return found


def rates(columns: int, options: argparse.Namespace) -> dict[str, float]:
    """Points in a second of CPU time, by peer; the first round does not count."""
    rows = np.random.default_rng(0).normal(size=(options.trees * options.samples, columns)).astype(np.float32)
    compared = peers(rows, options.trees, options.samples)
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    for number in range(options.rounds + 1):
        points = np.random.default_rng(number + 1).normal(size=(options.points, columns)).astype(np.float32)
        for name, follow in compared.items():
            begin = time.process_time()
            follow(points)
            seconds[name].append(time.process_time() - begin)
    return {name: options.points / statistics.median(each[1:]) for name, each in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if core.native is None:
        raise SystemExit("the compiled core is not built: install g++ and run scripts/setup")
    print(f"{options.trees} trees of {options.samples}, load {os.getloadavg()[0]:.1f}; points in a second of CPU time")
    print("| columns | sagedock | a call for each | attributed | krcf | times krcf |\n|---|---|---|---|---|---|")
    for columns in COLUMNS:
        found = rates(columns, options)
        told = [
            f"{found[name]:,.0f}" if name in found else "" for name in ("sagedock", "a call for each", "attributed")
        ]
        peer = found.get("krcf")
        compared = [f"{peer:,.0f}", f"{found['sagedock'] / peer:.2f}"] if peer else ["", ""]
        print(f"| {columns} | {' | '.join([*told, *compared])} |")


if __name__ == "__main__":
    main()
