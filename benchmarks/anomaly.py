"""Random cut forests: building and scoring beside krcf (AWS's Rust library), scikit-learn's IsolationForest and rrcf.

    .venv-bench/bin/python benchmarks/anomaly.py [--columns 10] [--trees 100] [--samples 256] [--rounds 5]

All take turns in every round, one thread each; printed are medians over the rounds of CPU time, and how many times
ours the others take. Rows are normally distributed. A peer that is slow scores fewer rows (`rows`); rrcf grows a tenth
of the trees and scores on those. krcf learns 4,096 rows one by one, which is its way of growing; rrcf's score is
displacement, for which it inserts the point and takes it out again. Peers that are not installed are skipped; a first
round, with imports and first calls, does not count.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sagedock import core
from sagedock.algorithms.randomcutforest.forest import build

LEARNT = 4096
ALONE = 300


@dataclass(frozen=True)
class Peer:
    """What grows something of rows, what scores rows by it, and how many rows it is given to score."""

    name: str
    grow: Callable[[np.ndarray], Any]
    score: Callable[[Any, np.ndarray], Any]
    rows: int


def peers(trees: int, samples: int) -> Iterator[Peer]:
    if core.native is None:
        raise SystemExit("the compiled core is not built: install g++ and run scripts/setup")
    yield Peer(
        "sagedock",
        lambda rows: build(rows[: trees * samples].reshape(trees, samples, -1), 0),
        lambda forest, rows: forest.scores(rows),
        100_000,
    )
    if importlib.util.find_spec("sklearn"):
        from sklearn.ensemble import IsolationForest

        yield Peer(
            "scikit-learn IsolationForest",
            lambda rows: IsolationForest(n_estimators=trees, max_samples=samples, random_state=0, n_jobs=1).fit(rows),
            lambda forest, rows: forest.score_samples(rows),
            20_000,
        )
    if importlib.util.find_spec("krcf"):
        yield Peer("krcf", lambda rows: krcf_forest(rows, trees, samples), krcf_scores, 1000)
    if importlib.util.find_spec("rrcf"):
        yield Peer("rrcf, a tenth of the trees", lambda rows: rrcf_trees(rows, trees // 10, samples), rrcf_scores, 10)


def krcf_forest(rows: np.ndarray, trees: int, samples: int) -> Any:
    from krcf import RandomCutForest

    forest = RandomCutForest(
        {"dimensions": rows.shape[1], "shingle_size": 1, "num_trees": trees, "sample_size": samples, "random_seed": 1}
    )
    for row in rows[:LEARNT].tolist():
        forest.update(row)
    return forest


def krcf_scores(forest: Any, rows: np.ndarray) -> list[float]:
    return [forest.score(row) for row in rows.tolist()]


def rrcf_trees(rows: np.ndarray, trees: int, samples: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of pkg_resources
        import rrcf

    return [rrcf.RCTree(rows[tree * samples : (tree + 1) * samples]) for tree in range(trees)]


def rrcf_scores(trees: Any, rows: np.ndarray) -> list[float]:
    found = []
    for row in rows:
        total = 0.0
        for tree in trees:
            tree.insert_point(row, index="new")
            total += tree.codisp("new")
            tree.forget_point("new")
        found.append(total / len(trees))
    return found


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of this process, and what `work` gave."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


@dataclass(frozen=True)
class Cost:
    """CPU seconds: to grow, for a row of many, and for a row that comes alone."""

    grow: float
    row: float
    alone: float


def measured(peer: Peer, rows: np.ndarray) -> Cost:
    grown, forest = cpu(lambda: peer.grow(rows))
    many = rows[-peer.rows :]
    scored, _ = cpu(lambda: peer.score(forest, many))
    single = [rows[place : place + 1] for place in range(min(ALONE, peer.rows))]
    peer.score(forest, single[0])
    alone, _ = cpu(lambda: [peer.score(forest, row) for row in single])
    return Cost(grown, scored / len(many), alone / len(single))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = np.random.default_rng(0).normal(size=(100_000, options.columns)).astype(np.float32)
    os.environ["OMP_NUM_THREADS"] = "1"  # before anybody's library is imported
    compared = list(peers(options.trees, options.samples))
    costs: dict[str, list[Cost]] = {peer.name: [] for peer in compared}
    for _ in range(options.rounds + 1):
        for peer in list(compared):
            try:
                costs[peer.name].append(measured(peer, rows))
            except ValueError as error:  # rrcf, of a column in which numbers come twice
                print(f"{peer.name} fails on these rows: {error}")
                compared.remove(peer)
    print(f"{options.trees} trees of {options.samples}, {options.columns} columns, load {os.getloadavg()[0]:.1f}")
    print("| | grow ms | us a row | rows a CPU second | times ours | one row alone us |\n|---|---|---|---|---|---|")
    ours = statistics.median(cost.row for cost in costs["sagedock"][1:])
    for peer in compared:
        grow, row, alone = (
            statistics.median(getattr(cost, what) for cost in costs[peer.name][1:]) for what in ("grow", "row", "alone")
        )
        figures = (
            f"{grow * 1e3:.3g}",
            f"{row * 1e6:.3g}",
            f"{1 / row:,.0f}",
            f"{row / ours:.3g}",
            f"{alone * 1e6:.3g}",
        )
        print(f"| {peer.name} ({peer.rows:,} rows) | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
