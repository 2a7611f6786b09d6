"""DeepAR beside seasonal naive forecasts and GluonTS's DeepAREstimator: mean wQuantileLoss, coverage and CPU time.

    .venv/bin/python -m benchmarks.forecasting [--sets m4 ett pjm] [--epochs 40] [--gluonts] [--speed]

Data are those of the shared folder: M4 hourly (the last 48 hours of each series), ETTh1 and three of PJM's regions (the
last four years; the last fourteen windows of 48 hours of each series, one after the other, forecast by one model that
has seen none of them). Quantiles 0.1 to 0.9; the loss is summed over all windows and divided by the sum of absolute
values. With --validation these windows are left out, and those before them are forecast: what the recipe was chosen by.

A naive forecast is what was a day or a week before, and the quantiles of what such forecasts missed in all history.
Ours is a training job with `_recipe` seasonal, and one with the built-in's defaults; GluonTS takes as many steps of as
many windows. All in one thread; CPU seconds are of whole jobs for ours and of training alone for GluonTS.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.platform import Job

DATA = Path(__file__).parents[2] / "shared" / "data" / "forecast"
LEVELS = np.arange(1, 10) / 10
HORIZON, CONTEXT, BATCH = 48, 72, 64
WINDOWS = {"m4": 1, "ett": 14, "pjm": 14}
SEASONS = (24, 168)
_YEARS = 4 * 365 * 24


@dataclass(frozen=True)
class Data:
    """Hourly series: when each begins, and its values, NaN where one is missing; `windows` at the end are forecast."""

    starts: Sequence[datetime]
    values: Sequence[np.ndarray]
    windows: int

    def earlier(self) -> Data:
        """Without the windows that are forecast; those before them are, instead."""
        return Data(self.starts, [values[: -HORIZON * self.windows] for values in self.values], self.windows)

    def learnt(self) -> Iterator[tuple[datetime, np.ndarray]]:
        for start, values in zip(self.starts, self.values, strict=True):
            yield start, values[: -HORIZON * self.windows]

    def judged(self) -> Iterator[tuple[int, np.ndarray]]:
        """Number of the series, and it up to the end of a window to be forecast."""
        for number, values in enumerate(self.values):
            for window in reversed(range(self.windows)):
                yield number, values[: len(values) - HORIZON * window]


def m4() -> Data:
    def rows(name: str) -> dict[str, list[str]]:
        with (DATA / f"m4_hourly_odd_{name}.csv").open() as stream:
            return {row[0]: row[1:] for row in list(csv.reader(stream))[1:]}

    starts, train, test = rows("start"), rows("train"), rows("test")
    times = [datetime.strptime(starts[name][0], "%Y-%m-%d %H-%M-%S") for name in train]
    values = [np.asarray([*filter(None, row), *test[name]], np.float64) for name, row in train.items()]
    return Data(times, values, WINDOWS["m4"])


def ett() -> Data:
    with gzip.open(DATA / "ETTh1.csv.gz", "rt") as stream:
        rows = list(csv.reader(stream))[1:]
    values = np.asarray([row[1:] for row in rows], np.float64)
    return Data([datetime.fromisoformat(rows[0][0])] * values.shape[1], list(values.T), WINDOWS["ett"])


def pjm() -> Data:
    """Hours that daylight saving leaves out are missing; of those that it repeats the last counts."""
    starts, values = [], []
    for name in ("AEP", "DAYTON", "DOM"):
        with gzip.open(DATA / "pjm" / f"{name}_hourly.csv.gz", "rt") as stream:
            loads = {datetime.fromisoformat(row[0]): float(row[1]) for row in list(csv.reader(stream))[1:]}
        begin = max(loads) - timedelta(hours=_YEARS - 1)
        starts.append(begin)
        values.append(np.asarray([loads.get(begin + timedelta(hours=hour), np.nan) for hour in range(_YEARS)]))
    return Data(starts, values, WINDOWS["pjm"])


SETS: Mapping[str, Callable[[], Data]] = {"m4": m4, "ett": ett, "pjm": pjm}


@dataclass(frozen=True)
class Result:
    """Mean wQuantileLoss, the share of points between the quantiles 0.1 and 0.9, and CPU seconds."""

    loss: float
    covered: float
    seconds: float = 0.0


def judged(data: Data, quantiles: np.ndarray, seconds: float = 0.0) -> Result:
    """Of `quantiles` (levels, windows, horizon) in the order of `Data.judged`."""
    truth = np.stack([values[-HORIZON:] for _, values in data.judged()])
    known = np.isfinite(truth)
    apart = np.where(known, truth - quantiles, 0)
    levels = LEVELS[:, None, None]
    losses = 2 * np.maximum(levels * apart, (levels - 1) * apart).sum(axis=(1, 2)) / np.abs(truth[known]).sum()
    covered = ((truth >= quantiles[0]) & (truth <= quantiles[-1]))[known].mean()
    return Result(float(losses.mean()), float(covered), seconds)


def naive(data: Data, season: int) -> Result:
    found = []
    for _, values in data.judged():
        known = values[:-HORIZON].copy()
        for place in np.flatnonzero(np.isnan(known)):
            known[place] = known[place - season] if place >= season else np.nanmean(known)
        missed = np.quantile(known[season:] - known[:-season], LEVELS)
        found.append(np.resize(known[-season:], HORIZON) + missed[:, None])
    return judged(data, np.stack(found, axis=1))


def _record(number: int, start: datetime, values: np.ndarray) -> str:
    target = [None if np.isnan(value) else value for value in values.tolist()]
    return json.dumps({"start": str(start), "target": target, "cat": [number]}) + "\n"


def ours(data: Data, folder: Path, epochs: int, given: Mapping[str, str]) -> tuple[Result, int]:
    """What a training job finds on its test channel, and how many steps it took."""
    asked = {"context_length": CONTEXT, "prediction_length": HORIZON, "time_freq": "H", "epochs": epochs}
    job = Job(folder, {**asked, "mini_batch_size": BATCH, **given}, {"SAGEDOCK_ALGORITHM": "forecasting-deepar"})
    learnt = "".join(_record(number, *each) for number, each in enumerate(data.learnt()))
    job.add_channel("train", {"train.json": learnt})
    lines = (_record(number, data.starts[number], values) for number, values in data.judged())
    job.add_channel("test", {"test.json": "".join(lines)})
    begin = _spent()
    with job.start() as process:
        stdout, _ = process.communicate()
    if process.returncode:
        raise SystemExit(job.failure)
    test = job.metrics()["test"]
    covered = test["coverage"]["0.9"] - test["coverage"]["0.1"]
    steps = stdout.count("processed a total of") * 10
    return Result(test["mean_wQuantileLoss"], covered, _spent() - begin), steps


def gluonts(data: Data, folder: Path, steps: int) -> Result:
    import logging
    import warnings

    import pandas as pd
    import torch

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    from sagedock.algorithms.image_classification import vision

    vision.torchvision()  # which GluonTS imports where it is installed
    from gluonts.dataset.common import ListDataset
    from gluonts.torch.model.deepar import DeepAREstimator

    def entry(number: int, values: np.ndarray) -> dict[str, Any]:
        start = pd.Period(data.starts[number], "h")
        return {"start": start, "target": values, "feat_static_cat": [number]}

    learnt = ListDataset([entry(number, values) for number, (_, values) in enumerate(data.learnt())], freq="h")
    known = ListDataset([entry(number, values[:-HORIZON]) for number, values in data.judged()], freq="h")
    torch.manual_seed(0)
    np.random.seed(0)
    estimator = DeepAREstimator(
        freq="h",
        prediction_length=HORIZON,
        context_length=CONTEXT,
        batch_size=BATCH,
        num_batches_per_epoch=steps,
        num_feat_static_cat=1,
        cardinality=[len(data.values)],
        trainer_kwargs={
            "max_epochs": 1,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "logger": False,
            "default_root_dir": str(folder),
        },
    )
    begin = time.process_time()
    predictor = estimator.train(learnt)
    seconds = time.process_time() - begin
    forecasts = list(predictor.predict(known, num_samples=100))
    quantiles = np.stack([[each.quantile(level) for level in LEVELS] for each in forecasts], axis=1)
    return judged(data, quantiles, seconds)


def _spent() -> float:
    """CPU seconds of processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def quality(names: Sequence[str], epochs: int, peer: bool, plain: bool, validation: bool) -> None:
    for name in names:
        data = SETS[name]().earlier() if validation else SETS[name]()
        found = {f"seasonal naive {season}": naive(data, season) for season in SEASONS}
        for title, result in found.items():
            show(name, title, result, 1.0)
        least = min(result.loss for result in found.values())
        with tempfile.TemporaryDirectory() as folder:
            given = {"_recipe": "seasonal", "learning_rate": "0.005"}
            result, steps = ours(data, Path(folder) / "seasonal", epochs, given)
            show(name, f"sagedock, _recipe seasonal, about {steps} steps", result, result.loss / least)
            if plain:
                result, steps = ours(data, Path(folder) / "built-in", epochs, {})
                show(name, f"sagedock, the built-in's defaults, about {steps} steps", result, result.loss / least)
            if peer:
                result = gluonts(data, Path(folder), steps)
                show(name, f"gluonts DeepAREstimator, {steps} steps", result, result.loss / least)


def show(name: str, title: str, result: Result, ratio: float) -> None:
    print(
        f"{name:4} {title:52} wQL {result.loss:.4f}  {ratio:5.2f} of the better naive  "
        f"80 % covers {100 * result.covered:.1f} %  {result.seconds:.0f} CPU s",
        flush=True,
    )


def speed() -> None:
    """CPU seconds of 50 batches of 32 windows of 48 + 48 hours, of two layers of 40 cells with zoneout."""
    import torch

    from sagedock.algorithms.deepar.adam import Adam
    from sagedock.algorithms.deepar.frequency import Frequency
    from sagedock.algorithms.deepar.lags import lags
    from sagedock.algorithms.deepar.network import Network, batch_of
    from sagedock.algorithms.deepar.parameters import Architecture
    from sagedock.algorithms.deepar.series import Series, SeriesList
    from sagedock.algorithms.deepar.windows import Passes, Windows

    torch.set_num_threads(1)
    hourly, data = Frequency.parse("H"), m4()
    learnt = [
        Series(
            hourly,
            hourly.ordinal(start),
            values.astype(np.float32),
            np.zeros(0, np.int32),
            np.zeros((0, len(values)), np.float32),
        )
        for start, values in data.learnt()
    ]
    built = Architecture("H", 48, 48, "student-t", 40, 2, lags(hourly), (), 10, 0, 4)
    windows, network = Windows(SeriesList.of(learnt), built), Network.new(built, 0)
    adam, random, generator = (
        Adam(list(network.tensors.values())),
        np.random.default_rng(0),
        torch.Generator().manual_seed(0),
    )
    for _ in range(3):
        begin, chosen = time.process_time(), windows.draw(Passes(60, 1.0), random)
        for part in list(chosen.batches(32))[:50]:
            found = windows.gather(part)
            network.loss(batch_of(found.values, found.observed, found.covariates, found.cat), 0.1, generator).backward()
            adam.step(1e-3)
        print(f"50 batches of 32: {time.process_time() - begin:.2f} CPU s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--gluonts", action="store_true")
    parser.add_argument("--plain", action="store_true", help="the built-in's defaults, too")
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    if options.speed:
        speed()
    quality(options.sets, options.epochs, options.gluonts, options.plain, options.validation)


if __name__ == "__main__":
    main()
