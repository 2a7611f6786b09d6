"""Early stopping and tallies: what counts as better, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest

from sagedock.algorithms.image_classification.early_stopping import EarlyStopping
from sagedock.algorithms.image_classification.tally import Tally


def ends(stopping: EarlyStopping, *accuracies: float) -> int | None:
    """Behind which epoch, counted from 1, training ends."""
    for number, accuracy in enumerate(accuracies, start=1):
        stopping.note(accuracy)
        if stopping.is_over:
            return number
    return None


@pytest.mark.parametrize("accuracy", [0.0, 0.5])
def test_an_accuracy_that_stays_ends_training_at_the_least_epoch(accuracy: float) -> None:
    """image 32"""
    assert ends(EarlyStopping(3, 2, 0.0), *[accuracy] * 5) == 3


def test_a_rise_below_the_tolerance_is_none() -> None:
    """image 33"""
    assert ends(EarlyStopping(1, 1, 0.5), 0.5, 0.6) == 2
    assert ends(EarlyStopping(1, 1, 0.19), 0.5, 0.6) is None


def test_without_early_stopping_nothing_ends() -> None:
    """image 34"""
    assert ends(EarlyStopping(1, 1, 1.0, is_asked_for=False), *[0.5] * 9) is None


def test_improvement_begins_the_patience_anew() -> None:
    assert ends(EarlyStopping(1, 2, 0.0), 0.5, 0.4, 0.6, 0.6, 0.6) == 5


def test_decisions_of_several_labels_are_counted_each() -> None:
    """image 47"""
    scores = np.array([[1.0, -1.0, 2.0], [0.5, 0.5, -3.0]], np.float32)
    labels = np.array([[1, 0, 0], [1, 0, 0]], np.float32)
    assert Tally.of(scores, labels).accuracy == 4 / 6


def test_the_first_k_hold_the_first() -> None:
    """image 26"""
    random = np.random.default_rng(0)
    scores, labels = random.integers(0, 3, (200, 5)).astype(np.float32), random.integers(0, 5, 200)
    found = [Tally.of(scores, labels, top_k=k) for k in (2, 3, 5)]
    assert found[0].accuracy <= found[0].top_k_accuracy <= found[1].top_k_accuracy
    assert found[2].top_k_accuracy == 1.0


def test_what_is_no_number_is_wrong() -> None:
    scores = np.array([[np.nan, np.nan], [1, 0]], np.float32)
    tally = Tally.of(scores, np.array([0, 0]), top_k=2)
    assert (tally.right, tally.among_first, tally.pictures) == (1, 1, 2)


def test_tallies_add_up() -> None:
    batch = Tally.of(np.eye(3, dtype=np.float32), np.array([0, 1, 0]), loss=2.0)
    both = batch + batch
    assert (both.right, both.decisions, both.pictures, both.mean_loss) == (4, 6, 6, 2.0)
