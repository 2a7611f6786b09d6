"""metrics.json and the report of a forecast."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.deepar import report
from sagedock.algorithms.deepar.best import Best
from sagedock.algorithms.deepar.evaluation import Evaluation, evaluate
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.algorithms.deepar.settings import Settings
from sagedock.algorithms.deepar.statistics import Statistics
from sagedock.figures import Facts, FanChart, LineChart, ScatterChart
from sagedock.reports.page import render
from tests.algorithms.deepar.toys import sines, values

HORIZON = 24
LEVELS = tuple(level / 10 for level in range(1, 10))


def series(count: int = 8, freq: str = "H") -> SeriesList:
    empty = np.empty(0, np.int32)
    targets = [np.array(each["target"], np.float32) for each in sines(count, 120)]
    return SeriesList.of(
        [Series(Frequency.parse(freq), 473_000, target, empty, np.empty((0, 120), np.float32)) for target in targets]
    )


def seasonal(known: Sequence[Series]) -> Any:
    """The day before once more, with noise that grows."""
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(50, HORIZON)) * np.linspace(0.05, 0.2, HORIZON)
    return np.stack([each.target[-HORIZON:] * (1 + noise) for each in known]).astype(np.float32)


def trained(*losses: float, held_out: Sequence[float] = ()) -> Best:
    """Epochs with these losses."""
    return Best(None, list(losses), list(held_out))


def losses_by_epoch(figures: Sequence[Any]) -> dict[str, LineChart]:
    return {each.title: each for each in figures if isinstance(each, LineChart) and "by epoch" in each.title}


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    found = evaluate(series(), seasonal, LEVELS, HORIZON)
    assert found is not None
    return found


def test_the_metrics_are_json_and_say_what_the_log_says(evaluation: Evaluation) -> None:
    found, _ = report.made(values(), Statistics.of(series()), trained(3.0, 2.0, 2.5), evaluation)
    read = json.loads(json.dumps(found, allow_nan=False))
    assert (read["best_epoch"], read["final_loss"], read["epochs"]) == (1, 2.0, 3)
    assert read["train"]["series"] == 8
    assert read["test"]["mean_wQuantileLoss"] == pytest.approx(np.mean(list(read["test"]["wQuantileLoss"].values())))
    assert list(read["test"]["coverage"]) == [repr(level) for level in LEVELS]
    assert len(read["test"]["mean_wQuantileLoss_by_step"]) == HORIZON


def test_the_report_shows_fans_coverage_losses_and_scales(evaluation: Evaluation) -> None:
    """Issue 7 item 5."""
    found, figures = report.made(values(), Statistics.of(series()), trained(3.0, 2.0, 2.5), evaluation)
    fans = [figure for figure in figures if isinstance(figure, FanChart)]
    assert [fan.title for fan in fans] == ["The best series", "The median series", "The worst series"]
    losses = [shown["mean_wQuantileLoss"] for shown in found["test"]["series_shown"]]
    assert losses == sorted(losses)
    for fan in fans:
        assert len(fan.middle) == len(fan.truth) == HORIZON
        assert len(fan.history) == 3 * HORIZON
        (wide, narrow) = fan.bands
        assert (np.array(wide.low) <= narrow.low).all()
        assert (np.array(narrow.high) <= wide.high).all()
        assert fan.ticks[0][1] == "2023-12-18 08:00"
    charts = {figure.title: figure for figure in figures if isinstance(figure, LineChart | ScatterChart)}
    assert list(charts) == ["Coverage", "Loss by step", "Learned scale", "Loss by epoch"]
    page = render("forecasting-deepar training report", "Job", figures)
    assert page.count("<svg") >= 7


def test_a_job_without_a_test_channel_has_a_report_too() -> None:
    found, figures = report.made(values(), Statistics.of(series()), trained(3.0), None)
    assert found["test"] is None
    assert not [figure for figure in figures if isinstance(figure, FanChart | LineChart)]
    headline = figures[0]
    assert isinstance(headline, Facts)
    assert dict(headline.rows)["Best epoch, of 0 to 0"] == "0"
    render("forecasting-deepar training report", "Job", figures)


def test_the_training_loss_decides_where_nothing_is_held_out() -> None:
    _, figures = report.made(values(epochs=4), Statistics.of(series()), trained(4.0, 3.0, 2.0, 2.5), None)
    ((title, chart),) = losses_by_epoch(figures).items()
    assert title == "Loss by epoch"
    assert chart.caption.endswith("the model is that of epoch 2, counted from 0, which has the least.")
    assert [(mark.label, mark.x, mark.y) for mark in chart.marks] == [("epoch 2, the model", 2.0, 2.0)]


def test_the_seasonal_recipe_s_report_shows_the_losses_that_decided_and_where_own_paths_begin() -> None:
    """The training loss is least where it does not decide, and rises with the network's own paths."""
    best = trained(1.0, 0.5, 2.0, 1.9, held_out=[0.4, 0.3, 0.2, float("inf")])
    given = values(epochs=4, _recipe="seasonal")
    found, figures = report.made(given, Statistics.of(series()), best, None)
    assert found["held_out_loss_by_epoch"] == [0.4, 0.3, 0.2, None]
    headline = figures[0]
    assert isinstance(headline, Facts)
    assert dict(headline.rows) == {
        "Series in training": "8",
        "Best epoch, of 0 to 3": "2",
        "Final loss, of training": "2.0000",
    }
    train, held_out = losses_by_epoch(figures).values()
    assert "the loss of the windows held out decided which epoch is kept" in train.caption
    assert "From epoch 2 on the network sees its own paths" in train.caption
    assert "the least" not in train.caption
    assert [(mark.label, mark.x, mark.y) for mark in train.marks] == [
        ("epoch 2, the model", 2.0, 2.0),
        ("own paths from epoch 2", 2.0, 2.0),
    ]
    assert held_out.title == "Held-out loss by epoch"
    assert "It decided: the model is that of epoch 2, counted from 0, which has the least." in held_out.caption
    assert [(line.name, line.x, line.y) for line in held_out.lines] == [("held out", [0.0, 1.0, 2.0], [0.4, 0.3, 0.2])]
    assert [(mark.label, mark.x, mark.y) for mark in held_out.marks] == [("epoch 2, the model", 2.0, 0.2)]


def test_a_job_that_ended_before_own_paths_began_does_not_tell_of_them() -> None:
    best = trained(1.0, 0.5, held_out=[0.4, 0.3])
    _, figures = report.made(values(epochs=40, _recipe="seasonal"), Statistics.of(series()), best, None)
    assert not any("own paths" in chart.caption for chart in losses_by_epoch(figures).values())


@pytest.mark.parametrize("epochs", [1, 4, 5, 30])
def test_own_paths_begin_where_the_settings_say(epochs: int) -> None:
    settings = Settings.of(values(epochs=epochs, _recipe="seasonal"))
    begin = settings.own_paths_from
    assert begin is not None
    assert settings.own_share(begin / epochs) == 0
    assert settings.own_share((begin + 0.99) / epochs) > 0
    assert Settings.of(values(epochs=epochs)).own_paths_from is None


def test_one_series_of_months_is_shown_once() -> None:
    one = series(1, "M").part(0, 1)
    one = SeriesList(one.frequency, np.array([240]), one.ends, one.target, one.cat, one.dynamic_feat)
    found = evaluate(one, seasonal, LEVELS, HORIZON)
    _, figures = report.made(values(time_freq="M"), Statistics.of(one), trained(1.0, 2.0), found)
    (fan,) = [figure for figure in figures if isinstance(figure, FanChart)]
    assert fan.title == "The series"
    assert fan.ticks[0][1] == "1992-01-01"


def test_what_is_not_finite_is_null_in_the_metrics() -> None:
    empty = np.empty((0, 3), np.float32)
    missing = Series(Frequency.parse("D"), 0, np.full(3, np.nan, np.float32), np.empty(0, np.int32), empty)
    nothing = Statistics.of(SeriesList.of([missing]))
    found, figures = report.made(values(), nothing, trained(float("inf"), 2.0), None)
    assert found["train"]["mean"] is None
    assert found["loss_by_epoch"] == [None, 2.0]
    json.dumps(found, allow_nan=False)
    render("forecasting-deepar training report", "Job", figures)
