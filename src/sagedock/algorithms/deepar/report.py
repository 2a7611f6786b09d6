"""What metrics.json holds of a DeepAR job, and the figures of its report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from sagedock.algorithms.deepar.best import Best
from sagedock.algorithms.deepar.evaluation import Evaluation, Fan
from sagedock.algorithms.deepar.frequency import HOUR, MINUTE, Frequency
from sagedock.algorithms.deepar.quantiles import INNERMOST
from sagedock.algorithms.deepar.settings import Settings
from sagedock.algorithms.deepar.statistics import Statistics
from sagedock.contracts.hyperparameters import Values
from sagedock.figures import (
    Band,
    Facts,
    FanChart,
    Figure,
    Line,
    LineChart,
    Mark,
    ScatterChart,
    Section,
    shown,
)

JSON = dict[str, Any]

_PLACES = {1: ("The series",), 2: ("The best series", "The worst series")}
_ALL_PLACES = ("The best series", "The median series", "The worst series")
_TICKS = 6


def made(
    values: Values, statistics: Statistics, best: Best, evaluation: Evaluation | None
) -> tuple[JSON, Sequence[Figure]]:
    """Metrics (JSON values) and figures of a job.

    `statistics` are those of the train channel, `best` the epochs and which of them is the model; `evaluation` is None
    without a test channel.
    """
    found = metrics(values, statistics, best, evaluation)
    return found, figures(found, values, evaluation)


def metrics(values: Values, statistics: Statistics, best: Best, evaluation: Evaluation | None) -> JSON:
    """The data's sizes, the losses and what the test channel showed."""
    return {
        "train": {name: _finite(value) for name, value in asdict(statistics).items()},
        "epochs": len(best.losses),
        "loss_by_epoch": [_finite(loss) for loss in best.losses],
        "held_out_loss_by_epoch": [_finite(loss) for loss in best.held_out],
        "best_epoch": best.epoch,
        "final_loss": _finite(best.loss),
        "test": None if evaluation is None else _of_test(evaluation),
        "hyperparameters": dict(values.given),
    }


def _of_test(evaluation: Evaluation) -> JSON:
    scores = evaluation.scores
    return {
        "series": scores.series,
        "series_skipped": evaluation.skipped,
        "observations": scores.observations,
        "RMSE": scores.rmse,
        "mean_wQuantileLoss": scores.mean_weighted_loss,
        "wQuantileLoss": {repr(level): loss for level, loss in scores.weighted_losses.items()},
        "mean_wQuantileLoss_by_step": scores.loss_by_step,
        "coverage": {repr(level): share for level, share in zip(scores.levels, scores.coverage, strict=True)},
        "series_shown": [{"series": fan.number + 1, "mean_wQuantileLoss": fan.loss} for fan in evaluation.fans],
    }


def figures(found: Mapping[str, Any], values: Values, evaluation: Evaluation | None) -> Sequence[Figure]:
    """The report in reading order: headline, forecasts, how good they are, training, data."""
    return [
        Facts("Key figures", _headline(found), kind="headline"),
        *(_of_forecasts(found, values, evaluation) if evaluation is not None else []),
        Section("Training"),
        *_training(found, Settings.of(values).own_paths_from),
        Section("Data and job"),
        _data(found["train"]),
        Facts("The job", sorted(found["hyperparameters"].items())),
    ]


def _headline(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    test = found["test"]
    rows = [] if test is None else [(name, shown(test[name])) for name in ("mean_wQuantileLoss", "RMSE")]
    covered = _inner_coverage(test)
    if covered is not None:
        rows.append(("Truth within the 80 % interval", f"{100 * covered:.1f} %"))
    return [
        *rows,
        ("Series in training", shown(found["train"]["series"])),
        (f"Best epoch, of 0 to {found['epochs'] - 1}", shown(found["best_epoch"])),
        ("Final loss, of training", shown(found["final_loss"])),
    ]


def _inner_coverage(test: Mapping[str, Any] | None) -> float | None:
    """The share of the truth between the quantiles 0.1 and 0.9, where both are among those that are judged."""
    low, high = map(repr, INNERMOST)
    coverage = {} if test is None else test["coverage"]
    return coverage[high] - coverage[low] if low in coverage and high in coverage else None


def _of_forecasts(found: Mapping[str, Any], values: Values, evaluation: Evaluation) -> list[Figure]:
    frequency = Frequency.parse(values["time_freq"])
    names = _PLACES.get(len(evaluation.fans), _ALL_PLACES)
    text = (
        "The last points of each series of the test channel are withheld and forecast. Best, median and worst are by "
        "the mean quantile loss in shares of the series' absolute values."
    )
    return [
        Section("Forecasts beside what came", text),
        *(_fan(name, fan, frequency) for name, fan in zip(names, evaluation.fans, strict=False)),
        Section("How good the forecasts are"),
        _coverage(found["test"]),
        *_losses_by_step(found["test"]),
        *_scales(evaluation),
    ]


def _fan(name: str, fan: Fan, frequency: Frequency) -> FanChart:
    low, quarter, middle, upper, high = fan.bands.astype(float).tolist()
    told = f"series {fan.number + 1:,} of the test channel, mean wQuantileLoss {shown(fan.loss)}"
    return FanChart(
        title=name,
        caption=f"{told[0].upper()}{told[1:]}.",
        alt=f"{name}: {told}; the forecast's median within its 90 and 50 percent intervals, beside what came.",
        x_label="",
        y_label="target",
        history=fan.history.astype(float).tolist(),
        middle=middle,
        bands=[Band("90 % interval", low, high), Band("50 % interval", quarter, upper)],
        truth=fan.truth.astype(float).tolist(),
        ticks=_ticks(fan, frequency),
    )


def _ticks(fan: Fan, frequency: Frequency) -> list[tuple[int, str]]:
    """Some positions named by their dates, with the time of day where points are closer than a day."""
    count = len(fan.history) + len(fan.truth)
    every = max(1, math.ceil(count / _TICKS))
    length = len("2024-01-01 00:00") if frequency.unit in {HOUR, MINUTE} else len("2024-01-01")
    places = range(0, count, every)
    return [(place, frequency.text(fan.start + place * frequency.multiple)[:length]) for place in places]


def _coverage(test: Mapping[str, Any]) -> LineChart:
    levels, shares = [float(level) for level in test["coverage"]], list(test["coverage"].values())
    order = np.argsort(levels).tolist()
    return LineChart(
        title="Coverage",
        caption="The share of true values at or below each quantile. On the dashed line the forecast's intervals hold "
        "as much as they promise; a curve flatter than it means intervals that are too narrow.",
        alt="Curve of the observed share of true values against the quantile's level, beside the diagonal.",
        x_label="quantile",
        y_label="share of true values",
        lines=[Line("observed", [levels[place] for place in order], [shares[place] for place in order])],
        diagonal=True,
    )


def _losses_by_step(test: Mapping[str, Any]) -> list[Figure]:
    losses = test["mean_wQuantileLoss_by_step"]
    if len(losses) < 2:
        return []
    return [
        LineChart(
            title="Loss by step",
            caption="The mean wQuantileLoss of each step of the forecast: how much harder it is to look further ahead.",
            alt=f"Curve of the loss over the steps, from {shown(losses[0])} at the first to {shown(losses[-1])}.",
            x_label="step",
            y_label="mean wQuantileLoss",
            lines=[Line("loss", list(map(float, range(1, len(losses) + 1))), losses)],
            y_from_zero=True,
        )
    ]


def _scales(evaluation: Evaluation) -> list[Figure]:
    pairs = [
        (math.log10(level), math.log10(spread))
        for level, spread in zip(evaluation.levels, evaluation.spreads, strict=True)
        if level > 0 and spread > 0
    ]
    if len(pairs) < 2:
        return []
    return [
        ScatterChart(
            title="Learned scale",
            caption="For each series, how large its values are and how wide the forecast's 80 percent interval is, on "
            "average, as logarithms to base 10. On the dashed line the interval is as wide as the values are large.",
            alt=f"Points of {len(pairs):,} series by the logarithms of their level and of their forecast's width.",
            x_label="log10 of the mean absolute value",
            y_label="log10 of the interval's width",
            x=[x for x, _ in pairs],
            y=[y for _, y in pairs],
            diagonal=True,
        )
    ]


def _training(found: Mapping[str, Any], own_paths_from: int | None) -> list[Figure]:
    """The losses of training and, where windows were held out, theirs: each says which of them decided."""
    losses, held_out, best = found["loss_by_epoch"], found["held_out_loss_by_epoch"], found["best_epoch"]
    decided = "the loss of the windows held out decided which epoch is kept" if held_out else _kept(best)
    own = own_paths_from if own_paths_from is not None and own_paths_from < len(losses) else None
    marks = [(best, f"epoch {best}, the model"), *([(own, f"own paths from epoch {own}")] if own is not None else [])]
    jump = f" From epoch {own} on the network sees its own paths in place of the truth, so the loss jumps there."
    text = f"The mean negative log-likelihood of the training windows; {decided}.{jump if own is not None else ''}"
    charts = _by_epoch("Loss by epoch", "train", text, losses, marks)
    if held_out:
        text = (
            "The mean quantile loss of forecasts of windows that training did not see, in units of what varies before "
            f"them (the log's validation loss). It decided: {_kept(best)}."
        )
        charts += _by_epoch("Held-out loss by epoch", "held out", text, held_out, marks[:1])
    return charts


def _kept(best: int) -> str:
    return f"the model is that of epoch {best}, counted from 0, which has the least"


def _by_epoch(
    title: str, name: str, caption: str, losses: Sequence[float | None], marks: Sequence[tuple[int, str]]
) -> list[Figure]:
    """A curve over the epochs, from 0, of those that are finite; none of a single one."""
    known = {epoch: loss for epoch, loss in enumerate(losses) if loss is not None}
    if len(known) < 2:
        return []
    first, *_, last = known.values()
    return [
        LineChart(
            title=title,
            caption=caption,
            alt=f"Curve of the loss from {shown(first)} to {shown(last)}. {caption}",
            x_label="epoch, counted from 0",
            y_label="loss",
            lines=[Line(name, list(map(float, known)), list(known.values()))],
            marks=[Mark(label, float(epoch), known[epoch]) for epoch, label in marks if epoch in known],
        )
    ]


def _data(train: Mapping[str, Any]) -> Facts:
    missing = 1 - train["observations"] / train["points"] if train["points"] else 0
    return Facts(
        "The train channel",
        [
            ("Series", shown(train["series"])),
            ("Points", shown(train["points"])),
            ("Missing values", f"{100 * missing:.1f} %"),
            ("Lowest, mean and highest value", ", ".join(shown(train[name]) for name in ("lowest", "mean", "highest"))),
            ("Mean absolute value", shown(train["mean_absolute"])),
        ],
    )


def _finite(value: Any) -> Any:
    """JSON has no word for what is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
