"""What DeepAR is asked: series to be forecast (developer guide, "DeepAR Inference Formats").

JSON holds instances and a configuration. JSON Lines, the format of batch transform, holds a series a line; what is
wanted of them is told by environment variables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sagedock.algorithms.deepar import record
from sagedock.algorithms.deepar.configuration import Configuration
from sagedock.algorithms.deepar.layout import Layout, Place
from sagedock.algorithms.deepar.series import Series
from sagedock.algorithms.deepar.work import Work
from sagedock.errors import PayloadTooLarge, UnsupportedMediaType, UserError
from sagedock.formats import instances
from sagedock.formats.media_types import JSON, JSON_LINES, MediaType
from sagedock.formats.requests import require_utf8

CONFIGURATION_VARIABLE = "DEEPAR_INFERENCE_CONFIG"
FORWARDED_VARIABLE = "DEEPAR_FORWARDED_FIELDS"

MOST_NUMBERS = 10_000_000
"""In one answer, or in the paths of one series: some hundred megabytes of JSON."""

_SHAPE = '{"instances": [{"start": "2024-01-01 00:00:00", "target": [1.0, 2.0]}, ...], "configuration": {...}}'


@dataclass(frozen=True)
class Settings:
    """What the environment says: the configuration where a request has none, and the fields of a record that its answer
    repeats.
    """

    configuration: Configuration = field(default_factory=Configuration)
    forwarded: tuple[str, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Raises UserError naming the variable."""
        try:
            configuration = Configuration.parse(environment.get(CONFIGURATION_VARIABLE, ""))
        except UserError as error:
            raise UserError(f"{CONFIGURATION_VARIABLE}: {error}", field=CONFIGURATION_VARIABLE) from error
        return cls(configuration, _forwarded(environment.get(FORWARDED_VARIABLE, "")))


@dataclass(frozen=True)
class Request:
    """The series of a request, and what is wanted of each; satisfies `sagedock.algorithm.Records`.

    `forwarded` are the fields that the answer of each series repeats; none where there is nothing to repeat.
    """

    series: Sequence[Series]
    configuration: Configuration
    forwarded: Sequence[Mapping[str, Any]] = ()

    @property
    def rows(self) -> int:
        return len(self.series)

    def part(self, begin: int, end: int) -> Request:
        """Those from `begin` (counted from 0) up to `end`, which may lie behind the last."""
        return replace(self, series=self.series[begin:end], forwarded=self.forwarded[begin:end])


def decode(body: bytes, media_type: MediaType, layout: Layout, settings: Settings, work: Work) -> Request:
    """The series of a request, forecasting each of which takes some work.

    Raises UserError naming record and field, UnsupportedMediaType and PayloadTooLarge.
    """
    require_utf8(media_type)
    if media_type.essence == JSON:
        records, configuration = _instances(body, settings)
        request = Request(_series(records, "instance", layout), configuration)
    elif media_type.essence == JSON_LINES:
        lines = instances.lines(body, "line")
        request = Request(_series(lines, "line", layout), settings.configuration, _repeated(lines, settings))
    else:
        raise UnsupportedMediaType(f"{media_type.essence!r} is not read: send {JSON} or {JSON_LINES}")
    _require_room(request, layout.prediction_length)
    _require_time(request, work)
    return request


def _instances(body: bytes, settings: Settings) -> tuple[Sequence[Any], Configuration]:
    document = instances.value_of(body, None)
    if not isinstance(document, dict) or not isinstance(document.get("instances"), list):
        what = "an object without a list named instances" if isinstance(document, dict) else record.kind(document)
        raise UserError(f"expected {_SHAPE}, got {what}", field="instances")
    given = document.get("configuration")
    default = settings.configuration
    return document["instances"], default if given is None else Configuration.read(given, default)


def _series(records: Sequence[Any], word: str, layout: Layout) -> list[Series]:
    return [record.read(value, layout, Place(f"{word} {row}", row)) for row, value in enumerate(records, start=1)]


def _repeated(records: Sequence[Any], settings: Settings) -> list[Mapping[str, Any]]:
    return [{name: each[name] for name in settings.forwarded if name in each} for each in records]


def _require_room(request: Request, horizon: int) -> None:
    configuration = request.configuration
    paths = configuration.num_samples * horizon
    if paths > MOST_NUMBERS:
        raise PayloadTooLarge(
            f"num_samples {configuration.num_samples} times prediction_length {horizon} is {paths} numbers, and a "
            f"forecast is made of at most {MOST_NUMBERS}: ask for fewer samples",
            field="num_samples",
        )
    each = configuration.numbers(horizon)
    if request.rows * each > MOST_NUMBERS:
        raise PayloadTooLarge(
            f"the answer to {request.rows} series, {each} numbers each, would hold more than {MOST_NUMBERS} numbers: "
            f"send at most {MOST_NUMBERS // each} series at a time, or ask for fewer quantiles or samples",
            field="instances",
        )


def _require_time(request: Request, work: Work) -> None:
    """Raise PayloadTooLarge for what would not be answered while SageMaker waits."""
    samples = request.configuration.num_samples
    most = work.most_series(samples)
    if not most:
        raise PayloadTooLarge(
            f"num_samples {samples} of {work.horizon} steps take this network longer than a request may take: ask for "
            f"at most {work.most_paths()} samples",
            field="num_samples",
        )
    if request.rows > most:
        raise PayloadTooLarge(
            f"forecasting {request.rows} series by {samples} samples of {work.horizon} steps takes this network longer "
            f"than a request may take: send at most {most} series at a time, or ask for fewer samples",
            field="instances",
        )


def _forwarded(text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(
            f'{FORWARDED_VARIABLE} is {text[:60]!r}: give a JSON list of field names, such as ["id"]',
            field=FORWARDED_VARIABLE,
        )
    return tuple(names)
