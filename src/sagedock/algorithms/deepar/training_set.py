"""Which series can be learnt from, and what is refused of a train channel as a whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np

from sagedock.algorithms.deepar.channel import Data
from sagedock.algorithms.deepar.hyperparameters import AUTO, NEGATIVE_BINOMIAL
from sagedock.algorithms.deepar.series import SeriesList
from sagedock.algorithms.deepar.statistics import Statistics
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

log = logging.getLogger(__name__)

FEWEST_OBSERVATIONS = 300
"""Over all series (developer guide, "Best Practices for Using the DeepAR Algorithm")."""


def lines(data: Data, values: Values) -> Iterator[str]:
    """What the log says of cat and dynamic_feat where they were looked for, in the built-in's words."""
    file = data.files[0]
    for name, field, found in (
        ("cardinality", "cat", data.layout.categories),
        ("num_dynamic_feat", "dynamic_feat", data.layout.features),
    ):
        if values[name] == AUTO:
            told = "was found" if found else "was NOT found"
            will = "will be used" if found else "will NOT be used"
            yield f"[{name}=auto] `{field}` field {told} in the file `{file}` and {will} for training."
    if values["cardinality"] == AUTO and data.layout.categories:
        yield f"[cardinality=auto] Inferred value of cardinality={list(data.layout.cardinality or ())} from dataset."
    if values["num_dynamic_feat"] == AUTO and data.layout.features:
        yield f"[num_dynamic_feat=auto] Inferred value of num_dynamic_feat={data.layout.features} from dataset."


def learnable(data: Data, statistics: Statistics) -> SeriesList:
    """The series that windows are taken from: those of prediction_length points or more, some of them observed.

    Raises UserError for data that nothing can be learnt from: too few observations, zeros only.
    """
    if statistics.observations < FEWEST_OBSERVATIONS:
        raise UserError(
            f"the train channel has {statistics.observations} observations in {statistics.series} series, and at least "
            f"{FEWEST_OBSERVATIONS} are needed: give longer series, or more of them",
            field="train",
        )
    if statistics.lowest == statistics.highest == 0:
        raise UserError(
            "the train channel has series that consist of only zeros: there is nothing to learn; check target",
            field="target",
        )
    _warn(data, statistics)
    return _kept(data)


def _kept(data: Data) -> SeriesList:
    series, least = data.series, data.layout.prediction_length
    observed = np.add.reduceat(np.append(~np.isnan(series.target), False), series.ends[:-1], dtype=np.int64)
    observed[series.lengths == 0] = 0
    short = series.lengths < least
    kept = np.flatnonzero(~short & (observed > 0))
    if not len(kept):
        raise UserError(
            f"no series of the train channel has observed values and is as long as prediction_length ({least}): give "
            "longer series, or a smaller prediction_length",
            field="prediction_length",
        )
    for number, what in (
        (short.sum(), f"shorter than prediction_length ({least})"),
        (_empty(short, observed), "empty"),
    ):
        if number:
            log.warning("%d of %d series are %s and not trained on", number, len(series), what)
    return series if len(kept) == len(series) else series.select(kept.tolist())


def _empty(short: np.ndarray, observed: np.ndarray) -> int:
    return int((~short & (observed == 0)).sum())


def _warn(data: Data, statistics: Statistics) -> None:
    if data.layout.likelihood == NEGATIVE_BINOMIAL and not statistics.whole:
        log.warning("likelihood negative-binomial is of counts, and target holds numbers that are not whole")
    if statistics.lowest == statistics.highest:
        log.warning("every value of target is %g: forecasts will be that value", statistics.lowest)
