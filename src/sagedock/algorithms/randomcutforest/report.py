"""What metrics.json holds of a Random Cut Forest job, and the figures of its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sagedock.algorithms.randomcutforest.evaluation import Evaluation
from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.figures import BarChart, Facts, Figure, Section, shown


def made(forest: Forest, rows: int, evaluation: Evaluation | None) -> tuple[Mapping[str, Any], Sequence[Figure]]:
    """Metrics (JSON values) and figures of a forest sampled from `rows` rows."""
    found = metrics(forest, rows, evaluation)
    return found, figures(found, forest)


def metrics(forest: Forest, rows: int, evaluation: Evaluation | None) -> dict[str, Any]:
    """The forest's sizes, and what the test channel showed."""
    found: dict[str, Any] = {
        "rows": rows,
        "columns": forest.columns,
        "trees": forest.trees,
        "samples_per_tree": forest.samples_per_tree,
        "depths": forest.depths.tolist(),
        "node_counts": forest.node_counts.tolist(),
    }
    if evaluation is not None:
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
        }
    return found


def figures(found: Mapping[str, Any], forest: Forest) -> Sequence[Figure]:
    """The report, drawn from the metrics."""
    headline = [("Rows", shown(found["rows"])), ("Trees", shown(found["trees"]))]
    if "test" in found:
        headline += [(name.capitalize(), shown(found["test"][name])) for name in ("f1", "precision", "recall")]
    sizes = [
        ("Columns", shown(found["columns"])),
        ("Samples of a tree", shown(found["samples_per_tree"])),
        ("Mean depth of a tree", shown(float(forest.depths.mean()))),
        ("Mean nodes of a tree", shown(float(forest.node_counts.mean()))),
        ("Memory in bytes", shown(forest.memory_bytes)),
    ]
    return [
        Facts("Key figures", headline, kind="headline"),
        Section("The forest"),
        Facts("Sizes", sizes),
        *_test(found),
    ]


def _test(found: Mapping[str, Any]) -> list[Figure]:
    if "test" not in found:
        return []
    test = found["test"]
    names = ("accuracy", "precision", "recall", "f1")
    told = ", ".join(f"{name} {shown(test[name])}" for name in names)
    chart = BarChart(
        title="Test channel",
        caption=f"Rows that score above {shown(test['cut_off'])}, the mean and three deviations of the channel's "
        "scores, count as anomalous.",
        alt=f"Bars: {told}.",
        value_label="share",
        names=names,
        values=[test[name] for name in names],
    )
    return [Section("Test"), chart]
