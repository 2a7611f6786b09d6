"""A DeepAR model that answers requests: from series to their forecasts. No training framework is imported here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sagedock.algorithms.deepar import requests
from sagedock.algorithms.deepar.answers import KEY, answers, with_forwarded
from sagedock.algorithms.deepar.forecaster import Forecaster
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.layout import Layout
from sagedock.algorithms.deepar.parameters import Parameters
from sagedock.algorithms.deepar.requests import MOST_NUMBERS, Request, Settings
from sagedock.algorithms.deepar.work import Work
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import Manifest
from sagedock.errors import ModelError, UserError
from sagedock.formats.media_types import JSON, MediaType
from sagedock.formats.objects import Objects

_START = "2024-01-01 00:00:00"


@dataclass(frozen=True)
class DeepARModel:
    """A trained network, and what the deployer's environment says of its answers."""

    parameters: Parameters
    settings: Settings = field(default_factory=Settings)

    @property
    def in_line_bytes(self) -> int:
        """None: paths take their time."""
        return 0

    @property
    def memory_bytes(self) -> int:
        """What the network's arrays take."""
        return self.parameters.memory_bytes

    @cached_property
    def layout(self) -> Layout:
        """What the series of a request have."""
        architecture = self.parameters.architecture
        return Layout(
            frequency=Frequency.parse(architecture.frequency),
            prediction_length=architecture.prediction_length,
            likelihood=architecture.likelihood,
            categories=len(architecture.cardinality),
            features=architecture.dynamic_features,
            cardinality=tuple(architecture.cardinality),
            trained=True,
        )

    @cached_property
    def _work(self) -> Work:
        return Work.of(self.parameters.architecture)

    @cached_property
    def _forecaster(self) -> Forecaster:
        return Forecaster(self.parameters)

    def read(self, body: bytes, media_type: MediaType) -> Request:
        """The series of a request, and what is wanted of each."""
        return requests.decode(body, media_type, self.layout, self.settings, self._work)

    def predict(self, request: Request) -> Objects:
        """The forecast of each series, which follows its last point; some series at a time, so that memory lasts."""
        configuration = request.configuration
        size = max(1, MOST_NUMBERS // (configuration.num_samples * self.layout.prediction_length))
        found: list[Mapping[str, Any]] = []
        for begin in range(0, request.rows, size):
            series = request.series[begin : begin + size]
            found += answers(self._forecaster.forecast(series, configuration.num_samples), configuration)
        if request.forwarded:
            found = [with_forwarded(*pair) for pair in zip(found, request.forwarded, strict=True)]
        return Objects(found, KEY)

    def example(self) -> tuple[bytes, str]:
        """A series of one point."""
        return json.dumps({"instances": [self._record()], "configuration": {"num_samples": 1}}).encode(), JSON

    def _record(self) -> dict[str, Any]:
        architecture = self.parameters.architecture
        record: dict[str, Any] = {"start": _START, "target": [1]}
        if architecture.cardinality:
            record["cat"] = [0] * len(architecture.cardinality)
        if architecture.dynamic_features:
            record["dynamic_feat"] = [[0] * (1 + architecture.prediction_length)] * architecture.dynamic_features
        return record

    def save(self, directory: Path) -> Sequence[str]:
        """Write the description and the arrays."""
        return self.parameters.save(directory)

    def describe(self) -> Mapping[str, Any]:
        """What the model forecasts, and what it needs to know of a series."""
        architecture = self.parameters.architecture
        return {
            "feature_count": None,
            "time_freq": architecture.frequency,
            "context_length": architecture.context_length,
            "prediction_length": architecture.prediction_length,
            "likelihood": architecture.likelihood,
            "cardinality": list(architecture.cardinality),
            "num_dynamic_feat": architecture.dynamic_features,
        }


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> DeepARModel:
    """The model in `directory`; raises ModelError for one that cannot be used, or variables that make no sense."""
    del manifest  # the description says all of it
    try:
        settings = Settings.of(options.environment)
    except UserError as error:
        raise ModelError(f"{error}; correct the variable, or unset it") from error
    return DeepARModel(Parameters.load(directory), settings)
