"""Small data sets for the tests of DeepAR, as records."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sagedock.algorithms.deepar.hyperparameters import HYPERPARAMETERS
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values

START = "2024-01-01 00:00:00"
REQUIRED = {"context_length": "12", "epochs": "2", "prediction_length": "6", "time_freq": "H"}


def values(**given: object) -> Values:
    """Hyperparameters, those that are required with values for a small job."""
    return HYPERPARAMETERS.parse({**REQUIRED, **given})


def record(target: Any, **fields: Any) -> dict[str, Any]:
    """A record that starts with 2024."""
    return {"start": START, "target": target, **fields}


def sines(series: int = 8, length: int = 96, seed: int = 0) -> list[dict[str, Any]]:
    """Records of a daily pattern, each at a level of its own, and some noise."""
    generator = np.random.default_rng(seed)
    level = generator.uniform(5, 50, size=(series, 1))
    pattern = 1 + 0.5 * np.sin(np.arange(length) * 2 * np.pi / 24 + generator.uniform(0, 6, size=(series, 1)))
    noise = 1 + 0.05 * generator.normal(size=(series, length))
    return [record(row.round(3).tolist()) for row in level * pattern * noise]


def lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    """JSON Lines."""
    return "".join(json.dumps(each) + "\n" for each in records).encode()


def channel(folder: Path, files: Mapping[str, bytes], content_type: str | None = None, name: str = "train") -> Channel:
    """A channel of these files."""
    for file, content in files.items():
        (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / file).write_bytes(content)
    return Channel(name, folder / name, content_type)


def of_records(folder: Path, records: Iterable[Mapping[str, Any]], name: str = "train") -> Channel:
    """A channel of one file of JSON Lines."""
    return channel(folder, {"data.json": lines(records)}, name=name)


def gzipped(content: bytes) -> bytes:
    """As a gzip file."""
    return gzip.compress(content)
