"""From channels to DMatrix, with the checks that XGBoost leaves out or words badly."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from sagedock.algorithms.xgboost.metrics import default_metric, requested_metrics
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError
from sagedock.formats import names, recordio
from sagedock.formats.media_types import parse_media_type
from sagedock.formats.table import Table
from sagedock.formats.training import read_table

log = logging.getLogger(__name__)

DEFAULT_CONTENT_TYPE = "text/libsvm"

DATA_CHANNELS = ("train", "validation")
NAMES_CHANNEL = "feature-names"

WIDEST = 1 << 26
"""Columns: XGBoost keeps some 400 bytes of each, and an identifier taken for an index would end the job unexplained."""

Labels = NDArray[np.float32]


@dataclass(frozen=True)
class LabelRule:
    """The labels an objective can learn from: `holds` maps labels to a mask, `range` says it in words."""

    range: str
    holds: Callable[[Labels], NDArray[np.bool_]]


_UNIT = LabelRule("in [0, 1]", lambda labels: (labels >= 0) & (labels <= 1))
_BINARY = LabelRule("0 or 1", lambda labels: (labels == 0) | (labels == 1))
_NOT_NEGATIVE = LabelRule(">= 0", lambda labels: labels >= 0)
_POSITIVE = LabelRule("> 0", lambda labels: labels > 0)
_GRADE = LabelRule(
    "an integer in [0, 31]", lambda labels: (labels >= 0) & (labels <= 31) & (labels == np.floor(labels))
)
_RULES: Mapping[str, LabelRule] = {
    "binary:logistic": _UNIT,
    "reg:logistic": _UNIT,
    "binary:logitraw": _UNIT,
    "binary:hinge": _BINARY,
    "count:poisson": _NOT_NEGATIVE,
    "reg:tweedie": _NOT_NEGATIVE,
    "reg:gamma": _POSITIVE,
    "reg:squaredlogerror": LabelRule("> -1", lambda labels: labels > -1),
    "rank:pairwise": _NOT_NEGATIVE,
    "rank:ndcg": _GRADE,
    "rank:map": _BINARY,
}


def read(channels: Mapping[str, Channel], values: Values) -> dict[str, Table]:
    """The tables of the train and validation channels, both of the train channel's content type, their labels checked.

    Raises UserError for whatever cannot be read, for labels outside the objective's range, and for a validation
    channel with other columns than train.
    """
    media_type = parse_media_type(channels["train"].content_type or DEFAULT_CONTENT_TYPE)
    tables = {}
    for name in (name for name in DATA_CHANNELS if name in channels):
        channel = channels[name]
        sources = channel.sources()
        objects = recordio.unwrapped(sources) if channel.record_wrapper == "RecordIO" else sources
        table = read_table(objects, media_type, weights=values["csv_weights"] == 1)
        _check(table, name, values)
        log.info("%s matrix has %d rows and %d columns", name.capitalize(), table.rows, table.columns)
        tables[name] = table
    if len(tables) == 2:
        _same_columns(tables)
    return tables


def feature_names(channels: Mapping[str, Channel], train: Table) -> list[str]:
    """One name per feature column: the lines of the feature-names channel's file, else f0, f1 and so on.

    Raises UserError when the lines are not as many as the columns, or a name stands twice.
    """
    if NAMES_CHANNEL not in channels:
        return [f"f{column}" for column in range(train.columns)]
    return names.read(channels[NAMES_CHANNEL], train.columns, "feature columns")


def joined(tables: Mapping[str, Table]) -> Table:
    """The rows of all tables under one another, for cross-validation; without weights a row weighs 1.

    Raises UserError for rows that belong to queries.
    """
    parts = list(tables.values())
    if any(part.groups is not None for part in parts):
        raise UserError("_kfold parts the rows of a query (qid) from one another: leave _kfold out", field="_kfold")
    if len(parts) == 1:
        return parts[0]
    if len({part.is_sparse for part in parts}) > 1:
        parts = [_thinned(part) for part in parts]
    blocks = [part.features for part in parts]
    weighted = any(part.weights is not None for part in parts)
    weights = [np.ones(part.rows, np.float32) if part.weights is None else part.weights for part in parts]
    return Table(
        features=csr_matrix(vstack(blocks)) if parts[0].is_sparse else np.vstack(blocks),
        labels=np.concatenate([part.labels for part in parts]),
        weights=np.concatenate(weights) if weighted else None,
    )


def _thinned(table: Table) -> Table:
    """A dense table as a sparse one, its missing values absent and its zeros stored."""
    if table.is_sparse:
        return table
    dense = np.asarray(table.features)
    rows, columns = np.nonzero(~np.isnan(dense))
    starts = np.searchsorted(rows, np.arange(table.rows + 1))
    return replace(table, features=csr_matrix((dense[rows, columns], columns, starts), shape=dense.shape))


def labels(table: Table) -> Labels:
    """The table's (rows,) labels, which `read` has made sure of."""
    if table.labels is None:
        raise UserError(
            "the records have no labels: put the label first in each record, and say so (text/csv; label_size=1)",
            field="label",
        )
    return table.labels


def fingerprint(table: Table) -> str:
    """A CRC-32 of the table's numbers, by which a checkpoint knows its data again."""
    features = table.features
    parts = [features] if isinstance(features, np.ndarray) else [features.data, features.indices, features.indptr]
    code = 0
    for part in (*parts, table.labels, table.weights, table.groups):
        if part is not None:
            code = zlib.crc32(np.ascontiguousarray(part).data, code)
    return f"{code:08x}"


def matrix(table: Table, threads: int | None) -> xgboost.DMatrix:
    """The table as XGBoost's own matrix; NaN and absent entries are missing."""
    data = xgboost.DMatrix(table.features, label=table.labels, weight=table.weights, nthread=threads)
    if table.groups is not None:
        data.set_info(qid=table.groups)
    return data


def _same_columns(tables: dict[str, Table]) -> None:
    widths = {name: table.columns for name, table in tables.items()}
    if len(set(widths.values())) == 1:
        return
    if not all(table.is_sparse for table in tables.values()):
        described = ", ".join(f"{name} has {width}" for name, width in widths.items())
        raise UserError(f"the channels must have the same number of feature columns: {described}")
    widest = max(widths.values())
    for name, table in tables.items():
        tables[name] = table.fitted_to(widest)


def _check(table: Table, channel: str, values: Values) -> None:
    if table.columns == 0:
        raise UserError(f"the {channel} channel has labels but no feature columns", field=channel)
    if table.columns > WIDEST:
        raise UserError(
            f"the {channel} channel has {table.columns} feature columns, as its highest index says, and at most "
            f"{WIDEST} can be trained on: number the features without gaps",
            field=channel,
        )
    given = labels(table)
    for rule, reason in _rules(values):
        _refuse_first(
            ~np.isfinite(given) | ~rule.holds(given),
            given,
            f"label {{value:g}} in row {{row}} of the {channel} channel is out of range: with {reason} a label must be "
            f"{rule.range} ({{wrong}} of {table.rows} rows are wrong)",
        )
    _check_weights(table, channel)
    _check_groups(table, channel)
    _check_constraints(table, values)


def _check_weights(table: Table, channel: str) -> None:
    if table.weights is None:
        return
    if table.groups is not None:
        raise UserError(
            f"the {channel} channel has both qid and weights, and XGBoost weighs whole queries only: leave one out",
            field=channel,
        )
    _refuse_first(
        ~(np.isfinite(table.weights) & (table.weights >= 0)),
        table.weights,
        f"weight {{value:g}} in row {{row}} of the {channel} channel must be a number >= 0",
    )
    if not table.weights.any():
        raise UserError(
            f"every weight of the {channel} channel is 0: give some records a weight above 0", field=channel
        )


def _check_groups(table: Table, channel: str) -> None:
    if table.groups is None:
        return
    falls = np.flatnonzero(np.diff(table.groups) < 0)
    if len(falls):
        row = int(falls[0]) + 1
        before, after = table.groups[row - 1 : row + 1]
        raise UserError(
            f"qid {after} in row {row + 1} of the {channel} channel comes after qid {before}: sort the records by qid, "
            "over all files in the order of their names",
            field="qid",
            row=row + 1,
        )


def _refuse_first(wrong: NDArray[np.bool_], given: Labels, message: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        text = message.format(value=float(given[row]), row=row + 1, wrong=int(wrong.sum()))
        raise UserError(text, field=message.partition(" ")[0], row=row + 1)


def _check_constraints(table: Table, values: Values) -> None:
    constraints = values.get("monotone_constraints")
    if constraints is not None and len(constraints) > table.columns:
        raise UserError(
            f"Hyperparameter monotone_constraints: {len(constraints)} items for {table.columns} feature columns",
            field="monotone_constraints",
        )
    groups = values.get("interaction_constraints") or ()
    beyond = [index for group in groups for index in group if index >= table.columns]
    if beyond:
        raise UserError(
            f"Hyperparameter interaction_constraints: index {beyond[0]} is beyond the {table.columns} feature columns, "
            "which count from 0",
            field="interaction_constraints",
        )


def _rules(values: Values) -> Iterator[tuple[LabelRule, str]]:
    """What the labels must be, and on whose account: the objective, the metrics, the cost matrix."""
    objective = values["objective"]
    yield _rule(values), f"objective {objective}"
    native, _ = requested_metrics(values)
    for metric in native or [default_metric(values)]:
        if metric.startswith("ndcg"):
            yield _GRADE, f"metric {metric}"
        elif metric.startswith("map@") or metric == "map":
            yield _BINARY, f"metric {metric}"
    if "cost_matrix" in values:
        yield _BINARY, "cost_matrix"


def _rule(values: Values) -> LabelRule:
    objective = values["objective"]
    if objective.startswith("multi:"):
        classes = values["num_class"]
        return LabelRule(
            f"an integer in [0, {classes}), since num_class is {classes}",
            lambda labels: (labels >= 0) & (labels < classes) & (labels == np.floor(labels)),
        )
    return _RULES.get(objective, LabelRule("a number", np.isfinite))
