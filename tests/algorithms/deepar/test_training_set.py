"""What a train channel must have, its statistics in the log, and which of its series are learnt from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from sagedock.algorithms.deepar import training_set
from sagedock.algorithms.deepar.channel import Data, read
from sagedock.algorithms.deepar.statistics import Statistics
from sagedock.errors import UserError
from tests.algorithms.deepar.toys import of_records, record, values


def told(folder: Path, records: list[dict[str, Any]], **given: str) -> tuple[Data, Statistics]:
    data = read(of_records(folder, records), values(**given))
    return data, Statistics.of(data.series)


def test_the_statistics_are_those_counted_by_hand(tmp_path: Path) -> None:
    """deepar 6 and 10."""
    _, found = told(tmp_path, [record([1.5, None, -3.0]), record([]), record([4.1, "NaN", 0.0, 2.4, 1.0])])
    assert list(found.lines("Training")) == [
        "Training set statistics:",
        "Real time series",
        "number of time series: 3",
        "number of observations: 6",
        "mean target length: 2.66666666667",
        "min/mean/max target: -3.0/1/4.1",
        "mean abs(target): 2",
        "contains missing values: yes (25.0%)",
    ]


def test_whole_numbers_are_told_as_such(tmp_path: Path) -> None:
    """deepar 10."""
    _, found = told(tmp_path, [record([1, 2.0]), record([3])])
    lines = list(found.lines("Test"))
    assert lines[:2] == ["Test set statistics:", "Integer time series"]
    assert lines[-1] == "contains missing values: no"


def test_nothing_observed_has_no_figures(tmp_path: Path) -> None:
    _, found = told(tmp_path, [record([None, None])])
    assert math.isnan(found.mean)
    assert list(found.lines("Test"))[-1] == "contains missing values: yes (100.0%)"


@pytest.mark.parametrize("observed", [299, 300])
def test_300_observations_are_enough(tmp_path: Path, observed: int) -> None:
    """deepar 3."""
    data, found = told(tmp_path, [record([1, None] * 150), record([5] * (observed - 150))])
    if observed < 300:
        with pytest.raises(UserError, match="has 299 observations in 2 series, and at least 300 are needed"):
            training_set.learnable(data, found)
    else:
        assert len(training_set.learnable(data, found)) == 2


def test_zeros_only_are_refused(tmp_path: Path) -> None:
    """deepar 4."""
    data, found = told(tmp_path, [record([0] * 200), record([0.0, None] * 100)])
    with pytest.raises(UserError, match="series that consist of only zeros"):
        training_set.learnable(data, found)


def test_a_constant_series_is_learnt_from_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Constant series; issue 7, bad input."""
    data, found = told(tmp_path, [record([7] * 300)])
    assert len(training_set.learnable(data, found)) == 1
    assert "every value of target is 7: forecasts will be that value" in caplog.text


def test_short_and_empty_series_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """deepar 32; all-missing series; issue 7, bad input."""
    records = [record([]), record([1] * 5), record([None] * 6), record([2] * 6), record([3] * 300), record([])]
    data, found = told(tmp_path, records, cardinality="ignore")
    kept = training_set.learnable(data, found)
    assert kept.lengths.tolist() == [6, 300]
    assert kept[0].target.tolist() == [2] * 6
    assert "3 of 6 series are shorter than prediction_length (6) and not trained on" in caplog.text
    assert "1 of 6 series are empty and not trained on" in caplog.text


def test_no_series_long_enough_is_refused(tmp_path: Path) -> None:
    data, found = told(tmp_path, [record([1, 2, 3, 4, 5])] * 60 + [record([None] * 9)])
    with pytest.raises(UserError, match=r"as long as prediction_length \(6\)"):
        training_set.learnable(data, found)


def test_series_that_stand_twice_count_twice_and_their_order_does_not_matter(tmp_path: Path) -> None:
    """Unsorted or duplicated series; issue 7, bad input."""
    later = {**record([2] * 200), "start": "2025-01-01"}
    data, found = told(tmp_path, [later, record([1] * 200), record([1] * 200)])
    assert found.observations == 600
    assert len(training_set.learnable(data, found)) == 3


def test_counts_that_are_not_whole_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, found = told(tmp_path, [record([1.5] * 299 + [2])], likelihood="negative-binomial")
    training_set.learnable(data, found)
    assert "likelihood negative-binomial is of counts" in caplog.text


def test_the_log_says_which_fields_were_found(tmp_path: Path) -> None:
    """deepar 8."""
    data, _ = told(tmp_path, [record([1, 2], cat=[2, 0]), record([1], cat=[0, 1])])
    file = data.files[0]
    assert list(training_set.lines(data, values())) == [
        f"[cardinality=auto] `cat` field was found in the file `{file}` and will be used for training.",
        f"[num_dynamic_feat=auto] `dynamic_feat` field was NOT found in the file `{file}` and will NOT be used for "
        "training.",
        "[cardinality=auto] Inferred value of cardinality=[3, 2] from dataset.",
    ]
    assert list(training_set.lines(data, values(cardinality="[3, 2]", num_dynamic_feat="ignore"))) == []


def test_the_log_says_how_many_features_were_found(tmp_path: Path) -> None:
    data, _ = told(tmp_path, [record([1, 2], dynamic_feat=[[1, 2]])])
    assert list(training_set.lines(data, values()))[-1] == (
        "[num_dynamic_feat=auto] Inferred value of num_dynamic_feat=1 from dataset."
    )
