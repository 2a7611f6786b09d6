"""What metrics.json and the report tell of the cut-off that was chosen by a false alarm rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sagedock.algorithms.randomcutforest.cut_off import Decision
from sagedock.algorithms.randomcutforest.trees import Floats
from sagedock.figures import Facts, Figure, HistogramChart, Section, shown

BINS = 60


def metrics(decision: Decision, scores: Floats | None = None, labels: Floats | None = None) -> dict[str, Any]:
    """The cut-off and, of rows with these scores and labels, the shares of normal and anomalous ones above it."""
    found = decision.described()
    if scores is not None and labels is not None:
        alarm = scores > np.float32(decision.cut_off)
        for name, rows in (("normal", labels == 0), ("anomalous", labels == 1)):
            if rows.any():
                found[f"test_alarms_of_{name}"] = float(alarm[rows].mean())
    return found


def figures(found: Mapping[str, Any], decision: Decision) -> Sequence[Figure]:
    """The section of the report, from the metrics and the scores that the cut-off was chosen by."""
    told = [
        ("Cut-off", shown(decision.cut_off)),
        ("False alarm rate asked for", shown(decision.false_alarm_rate)),
        ("Training rows it was chosen by", shown(len(decision.scores))),
    ]
    told += [
        (f"Alarms among {name} rows of the test channel", shown(found[f"test_alarms_of_{name}"]))
        for name in ("normal", "anomalous")
        if f"test_alarms_of_{name}" in found
    ]
    lowest, highest = float(decision.scores[0]), float(decision.scores[-1])
    edges = np.linspace(lowest, highest + 1e-6, BINS + 1)
    chart = HistogramChart(
        title="Training rows and the cut-off",
        caption="Scores of sampled training rows by forests that do not know them, on a logarithmic scale of rows.",
        alt=f"Histogram of scores from {shown(lowest)} to {shown(highest)}, the cut-off at {shown(decision.cut_off)}.",
        x_label="score",
        y_label="rows",
        edges=edges.tolist(),
        counts=np.histogram(decision.scores, edges)[0].tolist(),
        marks=[("cut-off", decision.cut_off)],
        logarithmic=True,
    )
    return [Section("The cut-off of alarms"), Facts("How it was chosen", told), chart]
