"""Rows to sample and score, made from a seed, their CSV, and a model of such rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.forest import build
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel
from sagedock.contracts import manifest
from sagedock.formats.table import Floats

COLUMNS = 5


def rows(count: int = 300, columns: int = 3, seed: int = 0) -> Floats:
    """Standard normal rows."""
    return np.random.default_rng(seed).normal(size=(count, columns)).astype(np.float32)


def csv(features: Floats, labels: Floats | None = None) -> str:
    """A line for each row, the label first where there is one."""
    found = features if labels is None else np.column_stack([labels, features])
    return "".join(",".join(map(repr, map(float, row))) + "\n" for row in found)


def write_model(base: Path, columns: int = COLUMNS) -> Path:
    """A model of 50 trees in `base`/model; returns `base`."""
    directory = base / "model"
    directory.mkdir(parents=True)
    model = RandomCutForestModel(Detector(build(rows(50 * 32, columns).reshape(50, 32, columns), 1)))
    files = {name: manifest.sha256(directory / name) for name in model.save(directory)}
    manifest.write(directory, manifest.Manifest("randomcutforest", {}, {}, model.describe(), files))
    return base
