"""The measures of a trained model against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from sagedock.algorithms.xgboost import evaluation as measure
from sagedock.algorithms.xgboost.evaluation import Evaluation

scored = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.35, 0.5, 0.8, 0.95]), st.integers(1, 4)),
    min_size=2,
    max_size=40,
).filter(lambda rows: {label for label, _, _ in rows} == {0, 1})


def columns(rows):
    return [np.array(column, dtype=float) for column in zip(*rows, strict=True)]


@given(scored)
def test_areas_and_losses_equal_scikit_learns(rows):
    labels, scores, weights = columns(rows)
    for ours, theirs in [
        (measure.area_under_roc, sklearn_metrics.roc_auc_score),
        (measure.average_precision, sklearn_metrics.average_precision_score),
        (measure.log_loss, sklearn_metrics.log_loss),
        (measure.brier, sklearn_metrics.brier_score_loss),
    ]:
        assert ours(labels, scores) == pytest.approx(theirs(labels, scores))
        assert ours(labels, scores, weights) == pytest.approx(theirs(labels, scores, sample_weight=weights))


@given(scored)
def test_curves_equal_scikit_learns(rows):
    labels, scores, weights = columns(rows)
    false_rate, true_rate, _ = sklearn_metrics.roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    curve = measure.roc(labels, scores, weights)
    assert curve.x == pytest.approx(false_rate)
    assert curve.y == pytest.approx(true_rate)
    precision, recall, _ = sklearn_metrics.precision_recall_curve(labels, scores, sample_weight=weights)
    ours = measure.precision_recall(labels, scores, weights)
    assert ours.x == pytest.approx(recall[:-1][::-1])
    assert ours.y == pytest.approx(precision[:-1][::-1])


@given(scored)
def test_confusion_and_error_equal_scikit_learns(rows):
    labels, scores, weights = columns(rows)
    classes = scores > 0.5
    assert (measure.confusion(labels, classes, 2) == sklearn_metrics.confusion_matrix(labels, classes)).all()
    weighted = sklearn_metrics.confusion_matrix(labels, classes, sample_weight=weights)
    assert measure.weighted_confusion(labels, classes, weights) == pytest.approx(weighted)
    right = sklearn_metrics.accuracy_score(labels, classes, sample_weight=weights)
    assert measure.error_rate(labels, classes, weights) == pytest.approx(1 - right)


def test_regression_measures_equal_scikit_learns():
    random = np.random.default_rng(7)
    labels, noise, weights = random.normal(size=50), random.normal(size=50), random.uniform(0.5, 2, 50)
    values = labels + 0.3 * noise
    r2 = sklearn_metrics.r2_score(labels, values, sample_weight=weights)
    assert measure.r_squared(labels, values, weights) == pytest.approx(r2)
    rmse = sklearn_metrics.root_mean_squared_error(labels, values, sample_weight=weights)
    assert measure.root_mean_square(labels - values, weights) == pytest.approx(rmse)
    mae = sklearn_metrics.mean_absolute_error(labels, values, sample_weight=weights)
    assert measure.mean_absolute(labels - values, weights) == pytest.approx(mae)


def test_log_loss_of_several_classes_equals_scikit_learns():
    random = np.random.default_rng(7)
    labels, probabilities = random.integers(0, 4, 60), random.dirichlet(np.ones(4), 60)
    expected = sklearn_metrics.log_loss(labels, probabilities, labels=[0, 1, 2, 3])
    assert measure.log_loss(labels, probabilities) == pytest.approx(expected)


@given(scored)
def test_calibration_bins_hold_every_record_and_part_no_ties(rows):
    labels, scores, _ = columns(rows)
    bins = measure.calibration(labels, scores, bins=5)
    assert bins.counts.sum() == len(labels)
    assert (bins.predicted * bins.counts).sum() == pytest.approx(scores.sum())
    assert (bins.observed * bins.counts).sum() == pytest.approx(labels.sum())
    assert (np.diff(bins.predicted) > 0).all()
    assert len(bins.counts) <= 5


def test_ten_bins_of_distinct_scores_are_equally_large():
    bins = measure.calibration(np.arange(100) % 2, np.linspace(0, 1, 100), bins=10)
    assert bins.counts.tolist() == [10] * 10


def test_what_one_class_does_not_define_is_nan():
    assert np.isnan(measure.area_under_roc([1, 1], [0.2, 0.9]))
    assert np.isnan(measure.average_precision([0, 0], [0.2, 0.9]))
    assert np.isnan(measure.r_squared([3.0, 3.0], [2.0, 4.0]))


def of(objective, labels, predictions):
    return Evaluation(objective, "validation", np.float32(labels), np.float32(predictions))


def test_margins_of_logitraw_become_probabilities():
    judged = of("binary:logitraw", [0, 1], [-2.0, 3.0])
    assert judged.probabilities == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(-3))])
    assert judged.classes.tolist() == [0, 1]
    assert np.isfinite(of("binary:logitraw", [0, 1], [-1000, 1000]).probabilities).all()


def test_classes_come_from_probabilities_or_are_the_predictions():
    assert of("multi:softprob", [0, 1], [[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]).classes.tolist() == [1, 2]
    assert of("multi:softmax", [0, 1], [2, 0]).classes.tolist() == [2, 0]
    assert of("multi:softmax", [0, 1], [2, 0]).class_count == 3
