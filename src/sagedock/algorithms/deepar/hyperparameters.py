"""The hyperparameters of SageMaker's DeepAR (developer guide, "DeepAR Hyperparameters")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.contracts.hyperparameters import (
    Categorical,
    Declaration,
    Integer,
    Interval,
    Kind,
    ListOf,
    Parameter,
    ParseError,
    Real,
    Rule,
    Values,
)

GAUSSIAN, BETA, NEGATIVE_BINOMIAL = "gaussian", "beta", "negative-binomial"
STUDENT_T, DETERMINISTIC_L1 = "student-T", "deterministic-L1"
LIKELIHOODS = (GAUSSIAN, BETA, NEGATIVE_BINOMIAL, STUDENT_T, DETERMINISTIC_L1)

AUTO, IGNORE = "auto", "ignore"

BUILT_IN, SEASONAL = "built-in", "seasonal"


@dataclass(frozen=True)
class TimeFrequency:
    """A frequency such as 5min; the value is its text."""

    type_text = "text"
    range_text = "a whole number from 1 (may be absent) and one of M, W, D, H, min"

    def parse(self, text: str) -> str:
        try:
            return str(Frequency.parse(text))
        except ValueError:
            raise ParseError("expected a frequency such as 5min, H or 2W") from None


@dataclass(frozen=True)
class AutoOr:
    """auto, ignore, or a value of another kind."""

    item: Kind

    @property
    def type_text(self) -> str:
        return f"{AUTO}, {IGNORE} or {self.item.type_text}"

    @property
    def range_text(self) -> str:
        return f"{AUTO}, {IGNORE}, {self.item.range_text}"

    def parse(self, text: str) -> Any:
        return text if text in {AUTO, IGNORE} else self.item.parse(text)


_COUNT = Integer(Interval(1))

PARAMETERS = (
    Parameter(
        "context_length",
        _COUNT,
        "Points that the network looks at before it forecasts; lags reach further back.",
        required=True,
        tuning="1 to 200",
    ),
    Parameter("epochs", _COUNT, "The most passes over the training data.", required=True, tuning="1 to 1000"),
    Parameter("prediction_length", _COUNT, "Points that are forecast.", required=True),
    Parameter("time_freq", TimeFrequency(), "Time between the points of a series.", required=True),
    Parameter(
        "cardinality",
        AutoOr(ListOf(_COUNT)),
        "How many values each number of cat has: auto tells them from the data, ignore leaves cat out.",
        default=AUTO,
        empty=IGNORE,
    ),
    Parameter(
        "dropout_rate",
        Real(Interval(0, 1, high_open=True)),
        "Share of the network's states that are kept from one step to the next in training (zoneout).",
        default=0.10,
        tuning="0.00 to 0.20",
    ),
    Parameter(
        "early_stopping_patience",
        _COUNT,
        "Epochs without improvement that end training early; the model of the best epoch is kept in any case.",
        library_default="off",
    ),
    Parameter("embedding_dimension", _COUNT, "Numbers that stand for a category.", default=10, tuning="1 to 50"),
    Parameter(
        "learning_rate",
        Real(Interval(0, low_open=True)),
        "Step size of training.",
        default=0.001,
        tuning="0.00001 to 0.1",
    ),
    Parameter(
        "likelihood",
        Categorical(LIKELIHOODS, any_case=True),
        "Distribution of a point: student-T and gaussian for real numbers, beta for numbers from 0 to 1, "
        "negative-binomial for counts; deterministic-L1 forecasts one value.",
        default=STUDENT_T,
    ),
    Parameter("mini_batch_size", _COUNT, "Windows of a training step.", default=128, tuning="32 to 1028"),
    Parameter("num_cells", _COUNT, "Cells of each layer.", default=40, tuning="30 to 200"),
    Parameter(
        "num_dynamic_feat",
        AutoOr(_COUNT),
        "Series that dynamic_feat has: auto tells it from the data, ignore leaves dynamic_feat out.",
        default=AUTO,
        empty=IGNORE,
    ),
    Parameter("num_eval_samples", _COUNT, "Paths of a forecast on the test channel.", default=100),
    Parameter("num_layers", _COUNT, "Layers of the network.", default=2, tuning="1 to 8"),
    Parameter(
        "test_quantiles",
        ListOf(Real(Interval(0, 1, low_open=True, high_open=True))),
        "Quantiles whose loss the test channel is judged by.",
        default=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    ),
    Parameter(
        "_recipe",
        Categorical((BUILT_IN, SEASONAL)),
        "Extension of sagedock: how the network is scaled and trained; seasonal forecasts series with seasons better.",
        default=BUILT_IN,
    ),
    Parameter(
        "_seed",
        Integer(Interval(0)),
        "Extension of sagedock: seed of the windows, the weights and the paths.",
        default=0,
    ),
)


def _check_quantiles(values: Values) -> Iterable[str]:
    levels = values["test_quantiles"]
    if len(set(levels)) < len(levels):
        yield f"Hyperparameter test_quantiles: {list(levels)} names a quantile twice: name each once"


HYPERPARAMETERS = Declaration(PARAMETERS, (Rule(("test_quantiles",), _check_quantiles),))

DEFAULTS: Mapping[str, Any] = {each.name: each.default for each in PARAMETERS if each.default is not None}
