"""How good forecasts are, beside what the built-in's public log shows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tests.algorithms.deepar.jobs import job

HORIZON = 24


def waves(count: int, length: int) -> list[dict[str, object]]:
    """The daily waves of the built-in's synthetic example: a level, an amplitude and a phase each, and noise."""
    random = np.random.default_rng(0)
    hours = np.arange(length)
    found = []
    for _ in range(count):
        level, amplitude, phase = 10 * random.random(), 1 + random.random(), 24 * random.random()
        wave = level + amplitude * np.sin(2 * np.pi * (hours + phase) / 24) + 0.1 * random.normal(size=length)
        found.append({"start": "2024-01-01 00:00:00", "target": wave.tolist()})
    return found


def test_waves_are_forecast_as_well_as_the_built_in_does(tmp_path: Path) -> None:
    """deepar 27: the mean wQuantileLoss of 200 waves after 20 epochs."""
    whole = waves(200, 400 + HORIZON)
    learnt = [{**record, "target": record["target"][:400]} for record in whole]
    sizes = {"context_length": "24", "prediction_length": str(HORIZON), "epochs": "20", "mini_batch_size": "32"}
    made = job(tmp_path, train=learnt, test=whole, num_cells="40", learning_rate="0.005", **sizes)
    done = made.process()
    assert done.returncode == 0, done.stderr
    (loss,) = re.findall(r"test mean_wQuantileLoss <loss>=(\S+)", done.stdout)
    assert float(loss) <= 0.05
