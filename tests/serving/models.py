"""Model directories for serving tests, trained by XGBoost itself from a seed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import xgboost

from sagedock.contracts import manifest
from sagedock.formats.table import Floats

COLUMNS = 5
ARTEFACT = "xgboost-model"


def records(rows: int, seed: int = 3) -> Floats:
    """Features to ask the model about; every seventh cell is missing."""
    features = np.random.default_rng(seed).normal(size=(rows, COLUMNS)).astype(np.float32)
    features[np.arange(features.size).reshape(features.shape) % 7 == 6] = np.nan
    return features


def booster(rounds: int = 12, objective: str = "binary:logistic", **parameters: object) -> xgboost.Booster:
    features = np.random.default_rng(1).normal(size=(400, COLUMNS)).astype(np.float32)
    labels = (features[:, 0] + features[:, 1] * features[:, 2] > 0).astype(np.float32)
    settings = {"objective": objective, "max_depth": 4, "nthread": 1, "seed": 1, **parameters}
    return xgboost.train(settings, xgboost.DMatrix(features, labels, nthread=1), rounds)


def write_model(base: Path, *, with_manifest: bool = True) -> Path:
    """A small binary classifier in `base`/model; returns `base`."""
    directory = base / "model"
    directory.mkdir(parents=True)
    (directory / ARTEFACT).write_bytes(bytes(booster().save_raw("ubj")))
    if with_manifest:
        write_manifest(directory)
    return base


def write_manifest(directory: Path) -> None:
    manifest.write(
        directory,
        manifest.Manifest(
            algorithm="xgboost",
            versions=manifest.versions_of(["xgboost-cpu"]),
            hyperparameters={},
            model={"feature_count": COLUMNS},
            files={file.name: manifest.sha256(file) for file in sorted(directory.iterdir())},
        ),
    )


def write_slow_model(base: Path, copies: int = 40) -> Path:
    """An ensemble of many equal models: serve it with SAGEMAKER_INFERENCE_ENSEMBLE=true and it takes its time."""
    directory = base / "model"
    directory.mkdir(parents=True)
    first = directory / f"{ARTEFACT}-0"
    first.write_bytes(bytes(booster(rounds=60, max_depth=8).save_raw("ubj")))
    for number in range(1, copies):
        shutil.copy(first, directory / f"{ARTEFACT}-{number}")
    write_manifest(directory)
    return base


def csv(features: Floats) -> bytes:
    """One line a record, an empty cell for a missing value."""
    return "".join(
        ",".join("" if np.isnan(value) else repr(float(value)) for value in row) + "\n" for row in features
    ).encode()


def write_constant(directory: Path, answer: int) -> Path:
    """A model in `directory` that answers `answer` to every record; returns `directory`."""
    features = np.zeros((4, COLUMNS), dtype=np.float32)
    labels = np.full(4, answer, dtype=np.float32)
    settings = {"objective": "reg:squarederror", "base_score": answer, "nthread": 1}
    model = xgboost.train(settings, xgboost.DMatrix(features, labels, nthread=1), 1)
    directory.mkdir(parents=True)
    (directory / ARTEFACT).write_bytes(bytes(model.save_raw("ubj")))
    write_manifest(directory)
    return directory
