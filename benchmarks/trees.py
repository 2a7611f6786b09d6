"""Answers of one tree model: the compiled core against XGBoost's own predictors and treelite's, in one process.

    python benchmarks/trees.py [--depths 4 6 8] [--trees 100] [--rows 1 1000]

Prints microseconds a call (best and median of many) and how many times the core's each takes. Peers that are not
installed are skipped. Everybody has one thread; missing values are one cell in twenty.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from sagedock import core
from sagedock.algorithms.xgboost import model_file
from sagedock.algorithms.xgboost.forest import compiled

COLUMNS = 20
SECONDS = 1.0

Call = Callable[[np.ndarray], Any]


def booster(depth: int, trees: int) -> xgboost.Booster:
    features = rows(5000, seed=0)
    noise = np.random.default_rng(1).normal(size=len(features))
    labels = (np.nan_to_num(features[:, 0] - features[:, 1]) + noise > 0).astype(np.float32)
    found = xgboost.train(
        {"objective": "binary:logistic", "max_depth": depth, "nthread": 1}, xgboost.DMatrix(features, labels), trees
    )
    found.set_param({"nthread": 1})
    return found


def rows(count: int, seed: int = 2) -> np.ndarray:
    source = np.random.default_rng(seed)
    features = source.normal(size=(count, COLUMNS)).astype(np.float32)
    features[source.random(features.shape) < 0.05] = np.nan
    return features


def ours(model: xgboost.Booster) -> Iterator[tuple[str, Call]]:
    """The core with each instruction set, the best last, which is what serving takes."""
    native = core.native
    if native is None:
        raise SystemExit("the compiled core is not built: install g++ and run scripts/setup")
    found = model_file.read(bytes(model.save_raw("ubj")))
    for name in native.instruction_sets():
        native.use_instruction_set(name)
        yield f"sagedock ({name})", compiled(native, found, Path("model")).scores


def peers(model: xgboost.Booster) -> Iterator[tuple[str, Call]]:
    yield "xgboost inplace_predict", lambda x: model.inplace_predict(x, validate_features=False)
    yield "xgboost DMatrix, predict", lambda x: model.predict(xgboost.DMatrix(x, nthread=1), validate_features=False)
    if importlib.util.find_spec("treelite"):
        import treelite

        tree_model = treelite.frontend.from_xgboost(model)
        yield "treelite gtil", lambda x: treelite.gtil.predict(tree_model, x, nthread=1)
    if importlib.util.find_spec("tl2cgen") and importlib.util.find_spec("treelite"):
        yield "tl2cgen", generated(model)


def generated(model: xgboost.Booster) -> Call:
    """C generated from the trees, compiled by gcc."""
    import tl2cgen
    import treelite

    folder = Path(tempfile.mkdtemp())
    source = folder / "source"
    tl2cgen.generate_c_code(treelite.frontend.from_xgboost(model), dirpath=str(source), params={"parallel_comp": 4})
    library = folder / "model.so"
    files = [str(file) for file in source.glob("*.c")]
    subprocess.run(["gcc", "-O3", "-fPIC", "-shared", "-o", str(library), *files, "-lm"], check=True)
    predictor = tl2cgen.Predictor(str(library), nthread=1)
    return lambda x: predictor.predict(tl2cgen.DMatrix(x))


def timed(calls: dict[str, Call], features: np.ndarray) -> dict[str, list[float]]:
    """Microseconds of each call, in turn, so that a busy machine is busy for all."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + SECONDS * len(calls)
    while time.perf_counter() < end:
        for name, call in calls.items():
            begin = time.perf_counter()
            call(features)
            taken[name].append(1e6 * (time.perf_counter() - begin))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depths", type=int, nargs="+", default=[4, 6, 8, 10])
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--trees", type=int, default=100)
    options = parser.parse_args()
    for depth in options.depths:
        model = booster(depth, options.trees)
        calls = {**dict(ours(model)), **dict(peers(model))}
        for count in options.rows:
            report(depth, rows(count), calls)


def report(depth: int, features: np.ndarray, calls: dict[str, Call]) -> None:
    print(f"\n{len(features)} rows of {features.shape[1]} columns, trees of depth {depth}")
    wanted = np.ravel(calls["xgboost inplace_predict"](features))
    taken = timed(calls, features)
    reference = min(next(taken[name] for name in reversed(taken) if name.startswith("sagedock")))
    for name, times in taken.items():
        difference = float(np.abs(np.ravel(calls[name](features)) - wanted).max())
        print(
            f"  {name:28} best {min(times):9.1f} us  median {statistics.median(times):9.1f} us  "
            f"{min(times) / reference:7.1f} x  differs by {difference:.0e}"
        )


if __name__ == "__main__":
    main()
