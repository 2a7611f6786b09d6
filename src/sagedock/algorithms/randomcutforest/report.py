"""What metrics.json holds of a Random Cut Forest job, and the figures of its report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sagedock.algorithms.randomcutforest import alarms
from sagedock.algorithms.randomcutforest.cut_off import Decision
from sagedock.algorithms.randomcutforest.evaluation import DEVIATIONS, Evaluation, ScoredRows
from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.figures import (
    BarChart,
    Facts,
    Figure,
    Grid,
    HistogramChart,
    MatrixChart,
    Panel,
    Section,
    SeriesChart,
    shown,
)
from sagedock.formats.table import Floats

BINS = 60
TICKS = 7
STRONGEST = 3
LONGEST_SERIES = 200_000
"""Rows that the picture of the series and its marks are drawn of; a longer one would make the page slow."""
MOST_SPANS = 500
DAY = len("2014-07-01")
_WITH_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d")


@dataclass(frozen=True)
class Names:
    """What the report calls columns of the forest and rows of the test channel, these where they were given."""

    columns: Sequence[str]
    rows: Sequence[str] | None = None

    def row(self, number: int) -> str:
        """The name of a row, or its number counted from 1."""
        return self.rows[number] if self.rows is not None else f"row {number + 1:,}"


@dataclass(frozen=True)
class Findings:
    """The rows of the test channel by what the forest makes of them."""

    rows: ScoredRows
    evaluation: Evaluation
    names: Names
    attributions: Floats
    """(peaks, columns) what each column adds to the score of each peak of the rows."""
    learnt: bool = False
    """Whether each row was learnt after it was scored."""


def made(
    forest: Forest, rows: int, findings: Findings | None, decision: Decision | None = None
) -> tuple[Mapping[str, Any], Sequence[Figure]]:
    """Metrics (JSON values) and figures of a forest sampled from `rows` rows."""
    found = metrics(forest, rows, findings)
    if decision is None:
        return found, figures(found, forest, findings)
    tested = (findings.rows.scores, findings.rows.labels) if findings is not None else ()
    found["decision"] = alarms.metrics(decision, *tested)
    return found, [*figures(found, forest, findings), *alarms.figures(found["decision"], decision)]


def metrics(forest: Forest, rows: int, findings: Findings | None) -> dict[str, Any]:
    """The forest's sizes, and what the test channel showed."""
    found: dict[str, Any] = {
        "rows": rows,
        "columns": forest.columns,
        "trees": forest.trees,
        "samples_per_tree": forest.samples_per_tree,
        "depths": forest.depths.tolist(),
        "node_counts": forest.node_counts.tolist(),
    }
    if findings is not None:
        evaluation = findings.evaluation
        found["test"] = {
            "rows": evaluation.rows,
            "cut_off": evaluation.cut_off,
            "mean": evaluation.mean,
            "deviation": evaluation.deviation,
            "true_positives": evaluation.true_positives,
            "false_positives": evaluation.false_positives,
            "false_negatives": evaluation.false_negatives,
            "true_negatives": evaluation.true_negatives,
            **evaluation.figures(),
            "highest": highest(findings),
        }
    return found


def highest(findings: Findings) -> list[dict[str, Any]]:
    """The peaks, the highest first, each with its label and the columns that add most to its score."""
    return [
        {
            "row": findings.names.row(peak.number),
            "score": peak.score,
            "label": int(findings.rows.labels[peak.number]),
            "columns": {
                findings.names.columns[column]: float(added[column] / max(added.sum(), np.finfo(np.float32).tiny))
                for column in np.argsort(-added, kind="stable")[:STRONGEST]
            },
        }
        for peak, added in zip(findings.rows.peaks, findings.attributions, strict=True)
    ]


def figures(found: Mapping[str, Any], forest: Forest, findings: Findings | None) -> Sequence[Figure]:
    """The report, drawn from the metrics and, for its pictures, from the rows of the test channel."""
    headline = [("Rows", shown(found["rows"])), ("Trees", shown(found["trees"]))]
    if "test" in found:
        headline += [(name.capitalize(), shown(found["test"][name])) for name in ("f1", "precision", "recall")]
    return [
        Facts("Key figures", headline, kind="headline"),
        *(_test(found["test"], findings) if findings is not None else []),
        Section("The forest"),
        _sizes(found, forest),
        _depths(forest),
    ]


def _test(test: Mapping[str, Any], findings: Findings) -> list[Figure]:
    return [
        Section(
            "Anomalies",
            f"Rows of the test channel that score above {shown(test['cut_off'])} count as anomalous: the mean of the "
            f"channel's scores and {DEVIATIONS} times their deviation."
            + (" Each row was scored, then learnt, before the next." if findings.learnt else ""),
        ),
        _series(test, findings),
        Section("What made the scores"),
        _highest_table(test),
        _added(findings),
        Section("Right and wrong"),
        _histogram(test, findings),
        _confusion(test),
    ]


def _series(test: Mapping[str, Any], findings: Findings) -> SeriesChart:
    rows, evaluation = findings.rows, findings.evaluation
    count = min(len(rows.scores), LONGEST_SERIES)
    flagged = np.flatnonzero(rows.scores[:count] > evaluation.cut_off)
    spans = runs(rows.labels[:count] == 1)
    cut = "" if count == len(rows.scores) else f" The first {count:,} of {len(rows.scores):,} rows."
    told = (
        f"{evaluation.true_positives + evaluation.false_positives:,} of {evaluation.rows:,} rows lie above the cut-off"
    )
    return SeriesChart(
        title="The rows in order, and their scores",
        caption=f"Above, the last column of each row; below, its score. {told}.{cut}",
        alt=f"Two curves over the rows of the test channel: the last column, and the score. {told}.",
        x_label="" if findings.names.rows is not None else "row",
        panels=[
            Panel(findings.names.columns[-1], rows.newest[:count].tolist()),
            Panel("score", rows.scores[:count].tolist(), ("cut-off", evaluation.cut_off)),
        ],
        spans=spans[:MOST_SPANS],
        spans_label="labelled as anomalous",
        marks=flagged.tolist(),
        marks_label="above the cut-off",
        ticks=_ticks(findings.names.rows, count),
    )


def runs(held: np.ndarray[Any, np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Where `held` (rows,) is True without a break: from a row up to the one behind its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _ticks(names: Sequence[str] | None, count: int) -> list[tuple[int, str]]:
    positions = np.linspace(0, count - 1, min(TICKS, count)).astype(int)
    if names is None:
        return [(int(position), f"{position + 1:,}") for position in positions]
    texts = [names[position] for position in positions]
    days = [text[:DAY] for text in texts]
    short = days if len(set(days)) == len(days) and all(map(_WITH_TIME.match, texts)) else texts
    return [(int(position), text) for position, text in zip(positions, short, strict=True)]


def _highest_table(test: Mapping[str, Any]) -> Grid:
    rows = [
        [
            peak["row"],
            shown(peak["score"]),
            "anomaly" if peak["label"] else "normal",
            *[f"{name} {share:.0%}" for name, share in peak["columns"].items()],
            *[""] * (STRONGEST - len(peak["columns"])),
        ]
        for peak in test["highest"]
    ]
    return Grid(
        title="The highest scores",
        caption="One row for each peak: where rows are shingles of a series, those that overlap a higher one are left "
        "out. Behind the label stand the columns that add most to the score, with their shares.",
        columns=["Row", "Score", "Label", "Most by", "second", "third"],
        rows=rows,
    )


def _added(findings: Findings) -> BarChart:
    """What the columns add to the highest scores, together."""
    total = findings.attributions.sum(axis=0, dtype=np.float64)
    order = np.argsort(-total, kind="stable")[:10]
    names = [findings.names.columns[column] for column in order]
    return BarChart(
        title="Columns behind the highest scores",
        caption="The part of each column in the sum of the scores above; the columns that add most.",
        alt=f"Bars: {', '.join(names)}.",
        value_label="share",
        names=names,
        values=(total[order] / max(total.sum(), 1e-30)).tolist(),
    )


def _histogram(test: Mapping[str, Any], findings: Findings) -> HistogramChart:
    scores = findings.rows.scores
    edges = np.linspace(float(scores.min()), float(scores.max()) + 1e-6, BINS + 1)
    counts = np.histogram(scores, edges)[0]
    return HistogramChart(
        title="How the scores are spread",
        caption=f"Scores of the {test['rows']:,} rows of the test channel, on a logarithmic scale of rows.",
        alt=f"Histogram of scores from {shown(float(scores.min()))} to {shown(float(scores.max()))}.",
        x_label="score",
        y_label="rows",
        edges=edges.tolist(),
        counts=counts.tolist(),
        marks=[("cut-off", test["cut_off"])],
        logarithmic=True,
    )


def _confusion(test: Mapping[str, Any]) -> MatrixChart:
    counts = [
        [test["true_negatives"], test["false_positives"]],
        [test["false_negatives"], test["true_positives"]],
    ]
    return MatrixChart(
        title="Labels and the cut-off",
        caption=f"Accuracy {shown(test['accuracy'])}, precision {shown(test['precision'])}, recall "
        f"{shown(test['recall'])}, F1 {shown(test['f1'])}.",
        alt="Rows by label and by the side of the cut-off on which they lie.",
        row_names=["normal", "anomaly"],
        column_names=["normal", "anomaly"],
        counts=counts,
    )


def _sizes(found: Mapping[str, Any], forest: Forest) -> Facts:
    return Facts(
        "Sizes",
        [
            ("Columns", shown(found["columns"])),
            ("Samples of a tree", shown(found["samples_per_tree"])),
            ("Mean depth of a tree", shown(float(forest.depths.mean()))),
            ("Mean nodes of a tree", shown(float(forest.node_counts.mean()))),
            ("Memory in bytes", shown(forest.memory_bytes)),
        ],
    )


def _depths(forest: Forest) -> HistogramChart:
    depths = forest.depths
    edges = np.arange(depths.min(), depths.max() + 2) - 0.5
    return HistogramChart(
        title="How deep the trees are",
        caption="Levels of a tree, its deepest leaf included.",
        alt=f"Histogram of tree depths from {depths.min()} to {depths.max()}.",
        x_label="levels",
        y_label="trees",
        edges=edges.tolist(),
        counts=np.histogram(depths, edges)[0].tolist(),
    )
