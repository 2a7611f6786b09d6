"""What a forecast is asked for: the `configuration` of a request (developer guide, "DeepAR Inference Formats").

In batch transform it comes as text, in the environment variable DEEPAR_INFERENCE_CONFIG.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagedock.errors import UserError

MEAN, QUANTILES, SAMPLES = "mean", "quantiles", "samples"
OUTPUT_TYPES = (MEAN, QUANTILES, SAMPLES)
FIELDS = ("num_samples", "output_types", "quantiles")

MOST_SAMPLES = 100_000
MOST_QUANTILES = 1000
_SHOWN = 40


@dataclass(frozen=True)
class Configuration:
    """`quantiles` are as they were spelled, which answers repeat; `levels` are their numbers."""

    num_samples: int = 100
    output_types: tuple[str, ...] = (MEAN, QUANTILES)
    quantiles: tuple[str, ...] = tuple(f"0.{digit}" for digit in range(1, 10))

    @property
    def levels(self) -> list[float]:
        """From 0 to 1, both left out."""
        return [float(text) for text in self.quantiles]

    def numbers(self, horizon: int) -> int:
        """How many numbers the answer to one series has."""
        lists = {MEAN: 1, QUANTILES: len(self.quantiles), SAMPLES: self.num_samples}
        return horizon * sum(lists[name] for name in self.output_types)

    @classmethod
    def read(cls, value: Any, default: Configuration | None = None) -> Configuration:
        """What a JSON value asks for, the rest as in `default`. Raises UserError naming the field."""
        if not isinstance(value, Mapping):
            raise UserError(
                'configuration is no object such as {"num_samples": 50, "output_types": ["mean", "quantiles"], '
                '"quantiles": ["0.5", "0.9"]}',
                field="configuration",
            )
        unknown = [name for name in value if name not in FIELDS]
        if unknown:
            raise UserError(
                f"configuration holds {shown(unknown[0])}: its fields are {', '.join(FIELDS)}", field="configuration"
            )
        found = default or cls()
        return cls(
            _count(value.get("num_samples", found.num_samples)),
            _types(value.get("output_types", found.output_types)),
            _quantiles(value.get("quantiles", found.quantiles)),
        )

    @classmethod
    def parse(cls, text: str) -> Configuration:
        """What the text of a JSON object asks for; the default of nothing. Raises UserError."""
        if not text.strip():
            return cls()
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"it is not JSON ({str(error)[:100]}): give an object as text") from error
        return cls.read(value)


def shown(value: Any) -> str:
    """A JSON value, cut short."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float) else type(value).__name__
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _count(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_SAMPLES:
        raise UserError(
            f"num_samples is {shown(value)}: give a whole number from 1 to {MOST_SAMPLES}", field="num_samples"
        )
    return value


def _types(value: Any) -> tuple[str, ...]:
    found = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    wrong = [name for name in found if name not in OUTPUT_TYPES]
    if wrong or not found:
        what = f"holds {shown(wrong[0])}" if wrong else "is empty or no list"
        raise UserError(
            f"output_types {what}: give a list of one or more of {', '.join(OUTPUT_TYPES)}", field="output_types"
        )
    return tuple(dict.fromkeys(found))


def _quantiles(value: Any) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not 0 < len(value) <= MOST_QUANTILES:
        raise UserError(
            f'quantiles is not a list of 1 to {MOST_QUANTILES} quantiles, such as ["0.1", "0.5", "0.9"]',
            field="quantiles",
        )
    return tuple(dict.fromkeys(map(_quantile, value)))


def _quantile(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value) if isinstance(value, float) else ""
    try:
        level = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        level = math.nan
    if not 0 < level < 1:
        raise UserError(
            f'quantiles holds {shown(value)}: give numbers above 0 and below 1, such as "0.5"', field="quantiles"
        )
    return text
