"""The cut-off: how often rows like the training data exceed it, and what it takes to choose one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest import cut_off
from sagedock.algorithms.randomcutforest.cut_off import blocked_folds, choose, require_rows, shuffled_folds
from sagedock.algorithms.randomcutforest.detector import Scorer
from sagedock.algorithms.randomcutforest.forest import Floats
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel, load
from sagedock.algorithms.randomcutforest.shingles import Series
from sagedock.contracts import manifest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import UserError
from sagedock.formats.table import Table
from tests.algorithms.randomcutforest import data
from tests.platform import Job

RATE = 0.02


def loaded(job: Job, *output: str) -> RandomCutForestModel:
    assert job.run() == 0, job.failure
    return load(job.model, manifest.read(job.model), InferenceOptions(output=output))


def skewed(count: int, seed: int) -> Floats:
    """Rows of a distribution with a long tail, in two clusters."""
    random = np.random.default_rng(seed)
    rows = random.gamma(2, size=(count, 4))
    rows[random.random(count) < 0.3] += 5
    return rows.astype(np.float32)


@pytest.mark.parametrize("sampling", ["contiguous", "overlapping"])
@pytest.mark.parametrize("scales", ["false", "true"])
def test_new_rows_exceed_it_at_the_rate_asked_for(make_job: Callable[..., Job], sampling: str, scales: str) -> None:
    asked = {"_sampling": sampling, "_scale_columns": scales, "_false_alarm_rate": str(RATE)}
    model = loaded(make_job(train=skewed(3000, 1), num_samples_per_tree="32", **asked), "anomaly")
    alarms = model.predict(Table(skewed(20_000, 2))).columns["anomaly"]
    deviation = math.sqrt(RATE * (1 - RATE) / 1600)  # of the share beyond a quantile of 1,600 sampled rows
    assert abs(alarms.mean() - RATE) < 4 * deviation


def autoregressive(count: int, seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(size=count)
    for at in range(1, count):
        noise[at] += 0.7 * noise[at - 1]
    return noise.astype(np.float32)[:, None]


@pytest.mark.parametrize("sampling", ["contiguous", "overlapping"])
def test_new_points_of_a_series_exceed_it_at_the_rate_asked_for(make_job: Callable[..., Job], sampling: str) -> None:
    asked = {"_sampling": sampling, "_shingle_size": "8", "_false_alarm_rate": "0.05", "num_samples_per_tree": "32"}
    model = loaded(make_job(train=autoregressive(3000, 1), **asked), "anomaly")
    alarms = model.predict(Series.of(Table(autoregressive(20_000, 2)), 8)).columns["anomaly"]
    deviation = math.sqrt(0.05 * 0.95 / 1600)
    assert abs(alarms.mean() - 0.05) < 4 * math.sqrt(8) * deviation  # neighbours are alike: fewer rows than it seems


def test_the_manifest_the_log_and_the_metrics_tell_of_it(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str]
) -> None:
    test = np.concatenate([np.zeros(50), np.ones(3)]).astype(np.float32), data.rows(53, seed=4)
    test[1][50:] += 20
    job = make_job(_false_alarm_rate="0.1", test=test)
    assert job.run() == 0, job.failure
    decision = job.manifest()["model"]["decision"]
    assert set(decision) == {"cut_off", "false_alarm_rate", "chosen_on", "rows"}
    assert (decision["false_alarm_rate"], decision["rows"]) == (0.1, 300)
    assert (
        f"Cut-off {decision['cut_off']:.6g} chosen for a false alarm rate of 0.1 by 300 rows" in capsys.readouterr().out
    )
    metrics = job.metrics()["decision"]
    assert metrics["cut_off"] == decision["cut_off"]
    assert metrics["test_alarms_of_anomalous"] == 1
    assert metrics["test_alarms_of_normal"] < 0.4
    assert "The cut-off of alarms" in (job.output_data / "report.html").read_text()


def test_without_a_rate_there_is_no_decision(make_job: Callable[..., Job]) -> None:
    job = make_job()
    assert job.run() == 0, job.failure
    assert "decision" not in job.manifest()["model"]
    assert "decision" not in job.metrics()


def test_a_rate_that_no_row_can_show_is_refused_before_anything_is_built(make_job: Callable[..., Job]) -> None:
    job = make_job(_false_alarm_rate="0.002")
    assert job.run() == 1
    assert "_false_alarm_rate 0.002 needs 499 sampled rows or more, and there are 300: " in job.failure
    require_rows(0.001, 999)
    with pytest.raises(UserError):
        require_rows(0.001, 998)
    require_rows(0.5, 1)


@pytest.mark.parametrize(("rate", "needed"), [("0.001", "999"), ("1e-300", "1e+300"), ("1e-320", "inf")])
def test_a_rate_that_no_channel_can_show_is_refused_before_the_pass(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str], rate: str, needed: str
) -> None:
    """The sample has 50 trees * 16 rows at most, however long the channel is."""
    job = make_job(_false_alarm_rate=rate)
    assert job.run() == 1
    assert job.failure.startswith("UserError: ")
    assert f"needs {needed} sampled rows or more, and there are 800 at most: " in job.failure
    assert "Sampling training data..." not in capsys.readouterr().out


@pytest.mark.parametrize("rate", ["0", "0.6", "-1", "nan", "often"])
def test_a_rate_out_of_range_is_refused(make_job: Callable[..., Job], rate: str) -> None:
    job = make_job(_false_alarm_rate=rate)
    assert job.run() == 1
    assert "_false_alarm_rate" in job.failure


def test_of_constant_rows_none_is_an_alarm_and_any_change_is(make_job: Callable[..., Job]) -> None:
    """random-cut-forest-by-aws, issue 400: an alarm is told by a cut-off, and a score has an upper end."""
    constant = np.full((300, 2), 7, np.float32)
    model = loaded(make_job(train=constant, _false_alarm_rate="0.01"), "score", "anomaly")
    changed = np.array([[7, 7], [7, 7.000001]], np.float32)
    found = model.predict(Table(changed)).columns
    assert found["anomaly"].tolist() == [0, 1]
    assert found["score"].max() <= math.log2(model.forest.samples_per_tree + 1) * (1 + 1e-6)


class Known:
    """Scores a row by the number of rows known, and remembers what it was asked."""

    def __init__(self, known: Floats, asked: list[Any]) -> None:
        self.known, self.asked = known[:, 0], asked

    def scores(self, rows: Floats, threads: int = 1) -> Floats:
        self.asked.append((self.known.tolist(), rows[:, 0].tolist()))
        return rows[:, 0]


def numbered(count: int) -> Floats:
    return np.arange(count, dtype=np.float32)[:, None]


def test_every_row_is_scored_once_by_a_forest_that_does_not_know_it() -> None:
    asked: list[Any] = []

    def build(known: Floats) -> Scorer:
        return Known(known, asked)

    decision = choose(0.1, numbered(95), shuffled_folds(95, 3), build, 1)
    assert len(asked) == cut_off.FOLDS
    assert sorted(row for _, rows in asked for row in rows) == list(range(95))
    assert all(sorted(known + rows) == list(range(95)) for known, rows in asked)
    assert decision.cut_off == 86  # number 87 = ceil(96 * 0.9) from the lowest
    assert decision.scores.tolist() == list(range(95))


@pytest.mark.parametrize("sampled", [slice(None), slice(None, None, 3)])
def test_blocks_of_shingles_are_scored_by_those_that_share_no_point_with_them(sampled: slice) -> None:
    size = 8
    numbers = np.random.default_rng(0).permutation(500)[sampled]
    folds = list(blocked_folds(numbers, size))
    assert len(folds) == cut_off.FOLDS
    assert sum(held for held, _ in folds).tolist() == [1] * len(numbers)
    for held, known in folds:
        points = {point for number in numbers[held] for point in range(number, number + size)}
        others = [set(range(number, number + size)) for number in numbers[known]]
        assert all(points.isdisjoint(other) for other in others)
        between = numbers[~held & ~known]
        assert (np.abs(between[:, None] - numbers[held]).min(axis=1) < size).all(), "none is left out in vain"


def test_a_series_too_short_to_leave_any_of_it_out_is_refused(make_job: Callable[..., Job]) -> None:
    job = make_job(train=autoregressive(120, 1), _shingle_size="60", _false_alarm_rate="0.1")
    assert job.run() == 1
    assert "no cut-off can be chosen by 61 shingles that share points with one another" in job.failure


def test_few_rows_have_a_fold_each() -> None:
    assert len(list(shuffled_folds(3, 0))) == 3
    assert len(list(blocked_folds(np.array([4, 1]), 1))) == 2
