"""Small jobs of DeepAR, and the series that they learn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.platform import Job

SMALL = {
    "context_length": "12",
    "prediction_length": "6",
    "time_freq": "H",
    "epochs": "3",
    "num_cells": "8",
    "mini_batch_size": "16",
    "embedding_dimension": "2",
    "learning_rate": "0.01",
}


def sines(count: int, length: int, *, categories: bool = True, seed: int = 0) -> list[dict[str, object]]:
    """Daily waves of many sizes and phases, with a little noise."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        hours = np.arange(length) + random.integers(24)
        wave = 2 + np.sin(2 * np.pi * hours / 24) + random.normal(0, 0.05, length)
        record: dict[str, object] = {"start": "2024-01-01 00:00:00", "target": (wave * random.lognormal(2, 1)).tolist()}
        found.append(record | ({"cat": [number % 3]} if categories else {}))
    return found


def lines(records: list[dict[str, object]]) -> str:
    """As JSON Lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


def job(
    base: Path,
    *,
    train: list[dict[str, object]] | None = None,
    test: list[dict[str, object]] | None = None,
    environment: Mapping[str, str] | None = None,
    **given: str,
) -> Job:
    """A job on `train`, by default ten waves of four days; hyperparameters are added or replaced."""
    made = Job(base, {**SMALL, **given}, {"SAGEDOCK_ALGORITHM": "forecasting-deepar", **(environment or {})})
    made.add_channel("train", {"train.json": lines(sines(10, 96) if train is None else train)})
    if test is not None:
        made.add_channel("test", {"test.json": lines(test)})
    return made
