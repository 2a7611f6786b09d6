"""RMSE and quantile losses beside figures made by hand, and the test channel of series."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sagedock.algorithms.deepar.evaluation import SHOWN_QUANTILES, Evaluation, evaluate
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.metrics import Scores, quantile_loss
from sagedock.algorithms.deepar.series import Series, SeriesList

LEVELS = (0.1, 0.5, 0.9)
NAN = float("nan")


def floats(*values: float) -> Any:
    return np.array(values, np.float32)


def series(*targets: Sequence[float], features: int = 0) -> SeriesList:
    hours = Frequency.parse("H")
    empty = np.empty(0, np.int32)
    return SeriesList.of(
        [Series(hours, 0, floats(*target), empty, np.zeros((features, len(target)), np.float32)) for target in targets]
    )


def naive(horizon: int, paths: int = 20) -> Any:
    """The last value goes on, with paths around it."""

    def forecast(known: Sequence[Series]) -> Any:
        around = np.linspace(-1, 1, paths, dtype=np.float32)[:, None]
        return np.stack([np.broadcast_to(each.target[-1] + around, (paths, horizon)) for each in known])

    return forecast


def test_the_quantile_loss_of_the_specification() -> None:
    """deepar 15."""
    truth, forecast = np.array([1.0, 2.0]), np.array([2.0, 2.0])
    assert quantile_loss(truth, forecast, 0.5).sum() / truth.sum() == pytest.approx(1 / 3)
    assert quantile_loss(truth, truth, 0.3).tolist() == [0, 0]
    scores = Scores([0.5], 2)
    scores.add(floats(1, 2)[None], floats(2, 2)[None, None])
    assert scores.weighted_losses == {0.5: pytest.approx(1 / 3)}
    assert scores.rmse == pytest.approx(np.sqrt(0.5))


@given(
    arrays(np.float32, (4, 3), elements=st.one_of(st.just(np.float32("nan")), st.floats(-1e3, 1e3, width=32))),
    arrays(np.float32, (4, 9, 3), elements=st.floats(-1e3, 1e3, width=32)),
    st.integers(0, 4),
)
def test_the_figures_are_those_of_the_formula_in_however_many_parts(truth: Any, samples: Any, cut: int) -> None:
    """deepar 14."""
    scores = Scores(LEVELS, 3)
    for part in (slice(0, cut), slice(cut, 4)):
        scores.add(truth[part], samples[part])
    known = ~np.isnan(truth)
    errors = (truth.astype(float) - samples.astype(float).mean(axis=1))[known]
    rmse = np.sqrt((errors**2).mean()) if known.any() else 0
    assert scores.rmse == pytest.approx(rmse, abs=1e-4)
    magnitude = np.abs(truth[known].astype(float)).sum()
    for level in LEVELS:
        forecast = np.quantile(samples.astype(float), level, axis=1)
        over = (truth - forecast)[known]
        loss = 2 * np.maximum(level * over, (level - 1) * over).sum() / magnitude if magnitude else 0
        assert scores.weighted_losses[level] == pytest.approx(loss, rel=1e-3, abs=1e-4)
    assert scores.mean_weighted_loss == pytest.approx(np.mean(list(scores.weighted_losses.values())))
    assert scores.observations == known.sum()
    assert len(scores.loss_by_step) == 3
    assert all(0 <= share <= 1 for share in scores.coverage)


def test_coverage_counts_true_values_at_or_below_a_quantile() -> None:
    scores = Scores([0.1, 0.9], 4)
    scores.add(floats(0, 5, 10, NAN)[None], np.tile(np.arange(11, dtype=np.float32)[None, :, None], (1, 1, 4)))
    assert scores.coverage == pytest.approx([1 / 3, 2 / 3])


def judged(found: Evaluation | None) -> Evaluation:
    assert found is not None
    return found


def test_the_last_points_of_each_series_are_withheld_and_compared() -> None:
    found = judged(evaluate(series([5, 5, 5, 7, 9], [1, 1, 1, 1, 1]), naive(2), LEVELS, 2))
    assert found.scores.series == 2
    assert found.scores.rmse == pytest.approx(np.sqrt((2**2 + 4**2) / 4))
    assert (found.skipped, found.batches) == (0, 1)
    best, worst = found.fans
    assert (best.number, worst.number) == (1, 0)
    assert worst.truth.tolist() == [7, 9]
    assert worst.history.tolist() == [5, 5, 5]
    assert worst.bands.shape == (len(SHOWN_QUANTILES), 2)


def test_series_that_cannot_be_judged_are_skipped() -> None:
    found = judged(evaluate(series([1, 2], [1, 2, 3], [1, NAN, NAN], [0, 0, 0]), naive(2), LEVELS, 2))
    assert found.skipped == 2
    assert found.scores.series == 2
    assert [fan.number for fan in found.fans] == [1], "one has zeros only, and no loss of its own"
    assert evaluate(series([1, 2], [1, NAN, NAN]), naive(2), LEVELS, 2) is None


def test_features_of_the_withheld_points_are_known_to_the_forecast() -> None:
    shapes = []

    def forecast(known: Sequence[Series]) -> Any:
        shapes.extend((len(each), each.dynamic_feat.shape) for each in known)
        return naive(2)(known)

    evaluate(series([1, 2, 3, 4], features=2), forecast, LEVELS, 2)
    assert set(shapes) == {(2, (2, 4))}


def test_many_series_are_judged_some_at_a_time() -> None:
    sizes = []

    def forecast(known: Sequence[Series]) -> Any:
        sizes.append(len(known))
        return naive(1)(known)

    targets = [[number, number, number + 1.0] for number in range(1, 10)]
    found = judged(evaluate(series(*targets), forecast, LEVELS, 1, batch=4))
    assert sizes == [4, 4, 1, 1, 1, 1]
    assert found.batches == 3
    assert [fan.number for fan in found.fans] == [8, 4, 0]
    whole = judged(evaluate(series(*targets), naive(1), LEVELS, 1))
    assert whole.scores.weighted_losses == pytest.approx(found.scores.weighted_losses)


def test_the_log_lines_are_the_built_ins_each_once() -> None:
    """deepar 13 and 14."""
    found = judged(evaluate(series([5, 5, 5, 7, 9]), naive(2), LEVELS, 2))
    text = "\n".join(found.lines("algo-1", 100))
    for pattern, value in (
        (r"#quality_metric: host=\S+, test RMSE <loss>=(\S+)", found.scores.rmse),
        (r"#quality_metric: host=\S+, test mean_wQuantileLoss <loss>=(\S+)", found.scores.mean_weighted_loss),
        (r"#test_score \(algo-1, RMSE\): (\S+)", found.scores.rmse),
        (r"#test_score \(algo-1, mean_wQuantileLoss\): (\S+)", found.scores.mean_weighted_loss),
    ):
        (told,) = re.findall(pattern, text)
        assert float(told) == value
    losses = re.findall(r"#test_score \(algo-1, wQuantileLoss\[(0\.\d)\]\): (\S+)", text)
    assert [float(level) for level, _ in losses] == list(LEVELS)
    assert np.mean([float(loss) for _, loss in losses]) == pytest.approx(found.scores.mean_weighted_loss)
    assert "Evaluating model accuracy on testset using 100 samples" in text
    assert "Number of test batches scored: 1" in text
