"""Whether probabilities mean what they say: reliability and expected calibration error.

As C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, On Calibration of Modern Neural Networks (ICML 2017), have them:
15 bins of equal width; the error is the mean over all pictures of the distance between their bin's confidence and
accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sagedock.algorithms.image_classification.judgement import Judgement
from sagedock.figures import Figure, HistogramChart, Line, LineChart, Section, shown

BINS = 15


def measures(judgement: Judgement) -> dict[str, Any]:
    """The expected calibration error, and count, mean confidence and accuracy of each bin, as JSON values.

    Of a multi-label model every decision about a class counts, with the probability that the class is present.
    """
    if judgement.multi_label:
        return of(judgement.probabilities.ravel(), judgement.truths.ravel())
    return of(judgement.probabilities.max(axis=1), judgement.told == judgement.labels)


def of(confidences: ArrayLike, right: ArrayLike) -> dict[str, Any]:
    """The same from confidences (0 to 1) and whether each was right; the lowest bin holds 0, too."""
    sure, hit = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    places = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts: NDArray[np.int64] = np.bincount(places, minlength=BINS)
    mean = np.bincount(places, weights=sure, minlength=BINS) / np.maximum(counts, 1)
    share = np.bincount(places, weights=hit, minlength=BINS) / np.maximum(counts, 1)
    error = float((counts * np.abs(mean - share)).sum() / len(sure)) if len(sure) else None
    return {
        "expected_calibration_error": error,
        "counts": counts.tolist(),
        "confidence": [value if count else None for value, count in zip(mean.tolist(), counts, strict=True)],
        "accuracy": [value if count else None for value, count in zip(share.tolist(), counts, strict=True)],
    }


def figures(found: Mapping[str, Any], *, multi_label: bool) -> list[Figure]:
    """Reliability diagram and histogram of confidences, from what `measures` gave."""
    if found["expected_calibration_error"] is None:
        return []
    error = shown(found["expected_calibration_error"])
    told = "a class is present" if multi_label else "the told class is right"
    known = [(x, y) for x, y in zip(found["confidence"], found["accuracy"], strict=True) if x is not None]
    return [
        Section("Calibration", f"Whether the probabilities mean what they say: how often {told}, by how sure it is."),
        LineChart(
            title="Reliability",
            caption="On the dashed line a probability is as often right as it says; below it the model is too sure. "
            f"The expected calibration error is {error} (15 bins, Guo et al. 2017).",
            alt=f"Share of right answers against confidence, beside the diagonal; calibration error {error}.",
            x_label="probability of the class" if multi_label else "probability of the told class",
            y_label="share that is present" if multi_label else "share that is right",
            lines=[Line("observed", [x for x, _ in known], [y for _, y in known])],
            diagonal=True,
        ),
        HistogramChart(
            title="How sure it is",
            caption=f"{'Decisions' if multi_label else 'Pictures'} by that probability: a point of the curve beside it "
            "says the less, the fewer it stands for.",
            alt=f"Histogram of {shown(sum(found['counts']))} probabilities in {BINS} bins.",
            x_label="probability",
            y_label="decisions" if multi_label else "pictures",
            edges=[number / BINS for number in range(BINS + 1)],
            counts=found["counts"],
        ),
    ]
