"""The hyperparameters of SageMaker's Random Cut Forest (developer guide, "RCF Hyperparameters").

Names, ranges and defaults are the built-in's, with those that it accepts without telling of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sagedock.contracts.hyperparameters import (
    Boolean,
    Categorical,
    Declaration,
    Integer,
    Interval,
    ListOf,
    Parameter,
    Real,
    Rule,
    Values,
)

METRICS = {"accuracy": ("accuracy",), "precision_recall_fscore": ("f1", "precision", "recall")}
"""What each value of eval_metrics reports of the test channel."""

CONTIGUOUS, OVERLAPPING = "contiguous", "overlapping"
RECIPROCAL, DEPTH = "reciprocal", "depth"
MOST_COLUMNS = 10_000
MOST_SAMPLES = 2048
"""Of a tree: a way down it is no longer than that, which bounds what a row costs."""

PARAMETERS = (
    Parameter("feature_dim", Integer(Interval(1, MOST_COLUMNS)), "Columns of a row, without the label.", required=True),
    Parameter("num_trees", Integer(Interval(50, 1000)), "Trees of the forest.", default=100, tuning="50 to 1000"),
    Parameter(
        "num_samples_per_tree",
        Integer(Interval(1, MOST_SAMPLES)),
        "Rows that each tree is given; fewer where the data hold fewer than so many for every tree.",
        default=256,
        tuning=f"1 to {MOST_SAMPLES}",
    ),
    Parameter(
        "eval_metrics",
        ListOf(Categorical(tuple(METRICS))),
        "Figures of the test channel: accuracy; or f1, precision and recall.",
        default=tuple(METRICS),
    ),
    Parameter(
        "mini_batch_size",
        Integer(Interval(1)),
        "Accepted without effect: rows are read in blocks of bytes.",
        default=1000,
    ),
    Parameter("epochs", Integer(Interval(1)), "Accepted without effect: one pass is all.", default=1),
    Parameter("force_dense", Boolean(), "Accepted without effect: sparse rows are always made dense.", default=True),
    Parameter(
        "_ftp_port",
        Integer(Interval(1, 65_535)),
        "Port on which several hosts meet; the environment variable SAGEDOCK_CLUSTER_PORT wins.",
        default=8999,
    ),
    Parameter("_seed", Integer(Interval(0)), "Extension of sagedock: seed of the sample and of the trees.", default=0),
    Parameter(
        "_shingle_size",
        Integer(Interval(1, MOST_COLUMNS)),
        "Extension of sagedock: rows are points of a series in order, scored by so many of the last ones side by side.",
        default=1,
    ),
    Parameter(
        "_sampling",
        Categorical((CONTIGUOUS, OVERLAPPING)),
        "Extension of sagedock: contiguous gives trees parts of the sample, as the built-in does; overlapping gives "
        "each num_samples_per_tree rows drawn from the whole sample.",
        default=CONTIGUOUS,
    ),
    Parameter(
        "_scale_columns",
        Boolean(),
        "Extension of sagedock: measure every column in units of its range in the trees' samples.",
        default=False,
    ),
    Parameter(
        "_score",
        Categorical((RECIPROCAL, DEPTH)),
        "Extension of sagedock: reciprocal scores by the mean of 1 / depth over the trees, as the built-in does; depth "
        "scores by a power mean of the depths.",
        default=RECIPROCAL,
    ),
    Parameter(
        "_false_alarm_rate",
        Real(Interval(0, 0.5, low_open=True)),
        "Extension of sagedock: choose the cut-off that so great a share of rows like the training data exceeds.",
    ),
    Parameter(
        "_streaming",
        Boolean(),
        "Extension of sagedock: go on learning. Each point of the test channel, and then of requests, is scored and "
        "then learnt.",
        default=False,
    ),
    Parameter(
        "_time_decay",
        Real(Interval(0, 1)),
        "Extension of sagedock: with _streaming, a tree forgets a point after 1 / _time_decay others on average; 0 "
        "for never.",
        library_default="1 / (10 samples of a tree)",
    ),
)


def _check_width(values: Values) -> Iterable[str]:
    width = values["feature_dim"] * values["_shingle_size"]
    if width > MOST_COLUMNS:
        yield (
            f"feature_dim {values['feature_dim']} times _shingle_size {values['_shingle_size']} makes rows of {width} "
            f"columns: at most {MOST_COLUMNS} are allowed"
        )


def _check_decay(values: Values) -> Iterable[str]:
    if "_time_decay" in values and not values["_streaming"]:
        yield "_time_decay has no meaning without _streaming: set _streaming to true, or leave _time_decay out"


def _check_score(values: Values) -> Iterable[str]:
    if values["_score"] == DEPTH and values["_streaming"]:
        yield f"_score {DEPTH} is not to be had with _streaming, which scores by reciprocals: leave one of them out"


HYPERPARAMETERS = Declaration(
    PARAMETERS,
    (
        Rule(("_shingle_size", "feature_dim"), _check_width),
        Rule(("_time_decay", "_streaming"), _check_decay),
        Rule(("_score", "_streaming"), _check_score),
    ),
    unknown="Additional properties are not allowed ({name!r} was unexpected)",
)

NOT_OF_THE_MODEL = frozenset(
    {
        "_ftp_port",
        "eval_metrics",
        "mini_batch_size",
        "epochs",
        "force_dense",
        "_sampling",
        "_scale_columns",
        "_score",
        "_false_alarm_rate",
        "_streaming",
        "_time_decay",
    }
)
"""Hyperparameters in which a job may differ from the one whose checkpoint it resumes."""


DEFAULTS: Mapping[str, Any] = {each.name: each.default for each in PARAMETERS if each.default is not None}
