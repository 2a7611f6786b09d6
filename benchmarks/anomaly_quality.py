"""How well random cut forests find labelled anomalies, beside krcf given the same rows and IsolationForest.

    .venv-bench/bin/python benchmarks/anomaly_quality.py [--data FOLDER] [--seeds 5] [--sets NAME] [--in-file-order]

The first table: ROC AUC on the sets of ADBench (npz of X and y), mean over the seeds; 100 trees, 256 samples each where
there are so many. Everything learns all rows of a set and scores all of them. Rows are shuffled by the seed, unless
they are to stay in the file's order: two of the files are sorted by label, and the built-in's sampling gives a tree
a run of the file. krcf is made of one forest of one tree for each of ours, which learns just that tree's rows and
forgets none.

The others: series of the Numenta Anomaly Benchmark, scored point by point, as single points and as shingles of 48, with
overlapping samples and a false alarm rate of 0.01. Learnt is all of a series, and then its first 15 percent, in which
that benchmark has no anomalies. `AUC` is that of points inside of
labelled windows against those outside; a window is found when the score of a point in it is above the cut-off; `alarms
outside` are the points above it that are in no window, of a hundred.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sagedock import core
from sagedock.algorithms.randomcutforest import cut_off, sampling, training
from sagedock.algorithms.randomcutforest.detector import column_weights
from sagedock.algorithms.randomcutforest.forest import build
from sagedock.algorithms.randomcutforest.plan import Plan
from sagedock.algorithms.randomcutforest.shingles import shingled

TREES, SAMPLES = 100, 256
SHINGLE, FALSE_ALARMS, SHARES = 48, 0.01, (1, 0.15)

Floats = np.ndarray[Any, np.dtype[np.float32]]
Scorer = Callable[[Floats, int], np.ndarray[Any, Any]]
"""The scores (rows,) of the rows that were learnt, by a seed."""


def contiguous(rows: Floats, seed: int) -> Floats:
    """(trees, samples of a tree, columns), as the built-in draws them."""
    reservoir = sampling.Reservoir(TREES * SAMPLES, rows.shape[1], seed)
    reservoir.add(rows)
    return sampling.for_trees(reservoir.rows, TREES, SAMPLES)


def overlapping(rows: Floats, seed: int) -> Floats:
    """(trees, samples of a tree, columns), each tree's from all rows that a reservoir of the same size holds."""
    reservoir = sampling.Reservoir(TREES * SAMPLES, rows.shape[1], seed)
    reservoir.add(rows)
    return sampling.overlapping(reservoir.rows, TREES, SAMPLES, seed)


def ours(draw: Callable[[Floats, int], Floats], scales: bool = False, by_depth: bool = False) -> Scorer:
    def scores(rows: Floats, seed: int) -> Floats:
        samples = draw(rows, seed)
        weights = column_weights(samples, 1) if scales else np.ones(rows.shape[1], np.float32)
        return replace(build(samples * weights, seed), by_depth=by_depth).scores(rows * weights)

    return scores


def krcf(draw: Callable[[Floats, int], Floats]) -> Scorer:
    from krcf import RandomCutForest

    def scores(rows: Floats, seed: int) -> np.ndarray[Any, Any]:
        samples, asked = draw(rows, seed), rows.tolist()
        total = np.zeros(len(rows))
        for tree, points in enumerate(samples):
            options = {
                "dimensions": rows.shape[1],
                "shingle_size": 1,
                "num_trees": 1,
                "sample_size": len(points),
                "output_after": 1,
                "random_seed": seed * TREES + tree + 1,
                "lambda": 0.0,
                "initial_accept_fraction": 1.0,
            }
            forest = RandomCutForest(options)
            for point in points.tolist():
                forest.update(point)
            total += [forest.score(row) for row in asked]
        return total

    return scores


def isolation_forest(rows: Floats, seed: int) -> np.ndarray[Any, Any]:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=TREES, max_samples=min(SAMPLES, len(rows)), random_state=seed, n_jobs=1)
    return -np.asarray(forest.fit(rows).score_samples(rows))


def scorers() -> Iterator[tuple[str, Scorer]]:
    yield "built-in's sampling", ours(contiguous)
    if importlib.util.find_spec("krcf"):
        yield "krcf, the same rows", krcf(contiguous)
    yield "overlapping", ours(overlapping)
    if importlib.util.find_spec("krcf"):
        yield "krcf, the same rows", krcf(overlapping)
    yield "overlapping, scaled", ours(overlapping, scales=True)
    yield "overlapping, scaled, by depth", ours(overlapping, scales=True, by_depth=True)
    if importlib.util.find_spec("sklearn"):
        yield "IsolationForest", isolation_forest


def area(labels: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> float:
    """Under the ROC curve: how often a row of label 1 has the higher score, ties counting half."""
    normal, wrong = np.sort(scores[labels == 0]), scores[labels == 1]
    below = np.searchsorted(normal, wrong, "left") + np.searchsorted(normal, wrong, "right")
    return float(below.mean() / 2 / len(normal))


def labelled_sets(folder: Path, in_file_order: bool, seeds: int, only: str | None) -> None:
    files = [file for file in sorted(folder.glob("*.npz")) if only is None or only in file.stem]
    compared = list(scorers())
    print(f"| set | rows x columns | {' | '.join(name for name, _ in compared)} |\n|---|---|{'---|' * len(compared)}")
    means = []
    for file in files:
        with np.load(file) as content:
            rows, labels = content["X"].astype(np.float32), content["y"].astype(int)
        found = []
        for _, score in compared:
            areas = []
            for seed in range(seeds):
                order = np.arange(len(rows)) if in_file_order else np.random.default_rng(seed).permutation(len(rows))
                areas.append(area(labels[order], score(np.ascontiguousarray(rows[order]), seed)))
            found.append(statistics.mean(areas))
        means.append(found)
        print(f"| {file.stem} | {len(rows):,} x {rows.shape[1]} | {figures(found)} |", flush=True)
    print(f"| mean | | {figures([statistics.mean(column) for column in zip(*means, strict=True)])} |")


def figures(found: list[float]) -> str:
    return " | ".join(f"{value:.4f}" for value in found)


@dataclass(frozen=True)
class Series:
    """Values, one a row, and the labelled windows: (first, end) of rows."""

    values: Floats
    windows: list[tuple[int, int]]

    @classmethod
    def read(cls, file: Path, windows: list[list[str]]) -> Series:
        with file.open(newline="") as text:
            lines = list(csv.DictReader(text))
        times = [line["timestamp"] for line in lines]
        bounds = [
            (sum(time < first[: len(time)] for time in times), sum(time <= last[: len(time)] for time in times))
            for first, last in windows
        ]
        return cls(np.array([[float(line["value"])] for line in lines], np.float32), bounds)

    @property
    def inside(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """(rows,) 1 where a row is in a window."""
        inside = np.zeros(len(self.values), np.int64)
        for first, end in self.windows:
            inside[first:end] = 1
        return inside


@dataclass(frozen=True)
class Found:
    """What a detector found in a series: AUC, windows with an alarm, and the share of alarms outside of them."""

    area: float | None
    windows: int
    outside: float


def detected(series: Series, size: int, share: float, seed: int) -> Found:
    plan = Plan(1, TREES, SAMPLES, seed, (), shingle_size=size, overlaps=True, false_alarm_rate=FALSE_ALARMS)
    rows = shingled(series.values, size)
    learnt = shingled(series.values[: int(len(series.values) * share)], size)
    detector = training.made(learnt, plan)
    folds = cut_off.blocked_folds(np.arange(len(learnt)), size)
    samples = detector.forest.samples_per_tree
    decision = cut_off.choose(
        FALSE_ALARMS, learnt, folds, lambda known: training.made(known, plan.of_fewer(len(known), samples)), 1
    )
    scores = detector.scores(rows)
    scores = np.concatenate([np.repeat(scores[:1], size - 1), scores])
    alarms = scores > np.float32(decision.cut_off)
    inside = series.inside
    return Found(
        area(inside, scores) if inside.any() else None,
        sum(bool(alarms[first:end].any()) for first, end in series.windows),
        float(alarms[inside == 0].mean()),
    )


def labelled_series(folder: Path, share: float, seeds: int) -> None:
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    heads = [
        f"{what}, {form}" for form in ("points", "shingles") for what in ("AUC", "windows found", "alarms outside")
    ]
    print(f"| series | rows | windows | {' | '.join(heads)} |\n|---|---|---|{'---|' * len(heads)}")
    every: list[list[list[Found]]] = []
    known = 0
    for file in sorted((folder / "data").glob("*/*.csv")):
        labels = windows.get(f"{file.parent.name}/{file.name}")
        series = Series.read(file, labels or [])
        found = [[detected(series, size, share, seed) for seed in range(seeds)] for size in (1, SHINGLE)]
        every.append(found)
        known += len(series.windows)
        count = "not given" if labels is None else str(len(labels))
        print(f"| {file.stem} | {len(series.values):,} | {count} | {' | '.join(map(told, found))} |", flush=True)
    columns = [[found[form] for found in every] for form in range(2)]
    print(f"| all | | {known} | {' | '.join(map(summed, columns))} |")


def told(found: list[Found]) -> str:
    """Mean AUC, mean number of windows, and mean share outside over the seeds."""
    areas = [each.area for each in found if each.area is not None]
    auc = f"{statistics.mean(areas):.3f}" if areas else "-"
    outside = statistics.mean(each.outside for each in found) * 100
    return f"{auc} | {statistics.mean(each.windows for each in found):.3g} | {outside:.2f}"


def summed(series: list[list[Found]]) -> str:
    """Mean AUC over series, windows of all, and the mean share outside."""
    areas = [each.area for found in series for each in found if each.area is not None]
    windows = sum(statistics.mean(each.windows for each in found) for found in series)
    outside = statistics.mean(each.outside for found in series for each in found) * 100
    return f"{statistics.mean(areas):.3f} | {windows:.3g} | {outside:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", help="only sets of ADBench whose names hold this, and no series")
    parser.add_argument("--in-file-order", action="store_true")
    options = parser.parse_args()
    if core.native is None:
        raise SystemExit("the compiled core is not built: install g++ and run scripts/setup")
    if not (options.data / "adbench").is_dir():
        raise SystemExit(f"{options.data} holds no folder adbench: say with --data where the labelled data are")
    labelled_sets(options.data / "adbench", options.in_file_order, options.seeds, options.sets)
    if options.sets is None:
        for share in SHARES:
            print(f"\nlearnt: the first {share:.0%} of each series\n")
            labelled_series(options.data / "nab", share, options.seeds)


if __name__ == "__main__":
    main()
