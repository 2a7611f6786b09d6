"""The rule by which the built-in ends training early, as its public log shows it."""

from __future__ import annotations

import pytest

from sagedock.algorithms.ntm.early_stopping import EarlyStopping

LOGGED = (7.1369, 7.1195, 7.1167, 7.1120, 7.0982, 7.1021, 7.0926)


def told(losses: tuple[float, ...], patience: int = 5, tolerance: float = 0.001) -> list[int]:
    """Bad epochs in a row after each loss."""
    rule = EarlyStopping(patience, tolerance)
    return [rule.note(loss).bad for loss in losses]


def test_the_log_of_the_built_in() -> None:
    """The first checks of the log: bad, then good. ntm_lda N11"""
    assert told(LOGGED) == [0, 0, 0, 0, 0, 1, 0]


def test_training_ends_after_the_sixth_bad_epoch_of_a_patience_of_five() -> None:
    """ntm_lda N11"""
    rule = EarlyStopping(5, 0.001)
    verdicts = [rule.note(loss) for loss in (*LOGGED, *([7.2] * 6))]
    assert [verdict.is_last for verdict in verdicts] == [False] * 12 + [True]
    assert verdicts[-1].bad == 6
    assert rule.best_epoch == 7


def test_a_good_epoch_takes_all_bad_ones_back() -> None:
    assert told((5.0, 5.0, 5.0, 4.0, 4.0, 4.0), patience=2) == [0, 0, 1, 0, 1, 2]


@pytest.mark.parametrize(("before", "after", "bad"), [(700.0, 699.9995, 1), (7.000, 6.998, 0)])
def test_the_tolerance_is_absolute(before: float, after: float, bad: int) -> None:
    """ntm_lda N13"""
    assert told((before, after), patience=1)[-1] == bad


def test_a_patience_longer_than_training_never_ends_it() -> None:
    """ntm_lda N12"""
    assert told((1.0,) * 50, patience=51) == [0] * 50


def test_no_epoch_is_bad_before_there_are_as_many_as_the_patience() -> None:
    rule = EarlyStopping(3, 0.001)
    assert [rule.note(loss).window for loss in (3.0, 3.0, 3.0)] == [(), (), ()]
    assert rule.note(3.0).window == (3.0, 3.0, 3.0)
