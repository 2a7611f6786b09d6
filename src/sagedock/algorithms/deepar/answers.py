"""Forecasts as JSON: mean, quantiles and samples of each series, only what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import quantiles
from sagedock.algorithms.deepar.configuration import MEAN, QUANTILES, SAMPLES, Configuration

Floats = NDArray[np.float32]

KEY = "predictions"
"""Under which the answers to a JSON request stand."""


def answers(samples: Floats, configuration: Configuration) -> list[dict[str, Any]]:
    """What is said of each series, given paths (series, paths, horizon): its numbers are arrays, C-contiguous."""
    samples = np.ascontiguousarray(samples)
    found: list[dict[str, Any]] = [{} for _ in samples]
    if QUANTILES in configuration.output_types:
        for answer, levels in zip(found, quantiles.quantiles(samples, configuration.levels), strict=True):
            answer[QUANTILES] = dict(zip(configuration.quantiles, levels, strict=True))
    if SAMPLES in configuration.output_types:
        for answer, paths in zip(found, samples, strict=True):
            answer[SAMPLES] = paths
    if MEAN in configuration.output_types:
        for answer, mean in zip(found, quantiles.mean(samples), strict=True):
            answer[MEAN] = mean
    return found


def with_forwarded(answer: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The answer and the fields of its record that it repeats, which come behind and never replace a part of it."""
    return {**answer, **{name: value for name, value in fields.items() if name not in answer}}
