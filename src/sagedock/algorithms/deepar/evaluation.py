"""The test channel: the last points of each series are withheld, forecast and compared, many series at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock import metric_lines
from sagedock.algorithms.deepar import quantiles
from sagedock.algorithms.deepar.metrics import Scores
from sagedock.algorithms.deepar.series import Series, SeriesList

Floats = NDArray[np.float32]

Forecast = Callable[[Sequence[Series]], Floats]
"""From series to the paths of their forecasts (series, paths, horizon)."""

SHOWN_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the fans in the report."""
_BEFORE = 3
"""The report shows so many horizons of what happened before a forecast."""


@dataclass(frozen=True)
class Fan:
    """One series of the test channel: what came before, the forecast's SHOWN_QUANTILES (quantiles, horizon), the truth.

    `loss` is its mean wQuantileLoss, `number` its place in the channel, from 0.
    """

    number: int
    loss: float
    start: int
    history: Floats
    truth: Floats
    bands: Floats


@dataclass(frozen=True)
class Evaluation:
    """What the test channel showed: its scores, and the fans of the best, the median and the worst series."""

    scores: Scores
    fans: Sequence[Fan]
    skipped: int
    """Series that are too short to be judged, or have nothing observed in their last points."""
    batches: int
    levels: Sequence[float]
    """Of each series judged, the mean absolute value of what was known; 0 where nothing was."""
    spreads: Sequence[float]
    """And the mean width of its forecast's innermost 80 percent."""

    def lines(self, host: str, samples: int) -> Iterator[str]:
        """The log lines, in the built-in's words."""
        yield metric_lines.prefixed(f"Evaluating model accuracy on testset using {samples} samples")
        yield metric_lines.prefixed(f"Number of test batches scored: {self.batches}")
        losses = self.scores.weighted_losses
        for name, value in (
            ("RMSE", self.scores.rmse),
            ("mean_wQuantileLoss", self.scores.mean_weighted_loss),
            *((f"wQuantileLoss[{level!r}]", loss) for level, loss in losses.items()),
        ):
            yield metric_lines.prefixed(f"#test_score ({host}, {name}): {value!r}")
        yield metric_lines.quality_metric(host, "test", "mean_wQuantileLoss", self.scores.mean_weighted_loss)
        yield metric_lines.quality_metric(host, "test", "RMSE", self.scores.rmse)


def evaluate(
    series: SeriesList, forecast: Forecast, levels: Sequence[float], horizon: int, batch: int = 64
) -> Evaluation | None:
    """How the last `horizon` points of each series are forecast by what is before them; None where no series can be
    judged.

    A series needs a point more than the horizon (spec 6.6), and some observed ones in it.
    """
    lengths = series.lengths
    long = np.flatnonzero(lengths > horizon)
    judged = [number for number in long.tolist() if not np.isnan(_withheld(series[number], horizon)).all()]
    if not judged:
        return None
    scores, losses, sizes, spreads = Scores(levels, horizon), [], [], []
    for begin in range(0, len(judged), batch):
        chosen = [series[number] for number in judged[begin : begin + batch]]
        samples = forecast([each.cut(len(each) - horizon) for each in chosen])
        for each, paths in zip(chosen, samples, strict=True):
            alone = Scores(levels, horizon)
            alone.add(_withheld(each, horizon)[None], paths[None])
            losses.append(alone.mean_weighted_loss if alone.magnitudes.any() else np.nan)
            sizes.append(_level(each.target[: len(each) - horizon]))
        low, high = quantiles.quantiles(samples, quantiles.INNERMOST).transpose(1, 0, 2)
        spreads += (high - low).mean(axis=1).tolist()
        scores.add(np.stack([_withheld(each, horizon) for each in chosen]), samples)
    fans = [_fan(series[judged[place]], judged[place], losses[place], forecast, horizon) for place in _picked(losses)]
    return Evaluation(scores, fans, len(series) - len(judged), -(-len(judged) // batch), sizes, spreads)


def _picked(losses: Sequence[float]) -> list[int]:
    """The places of the best, the median and the worst; of those with zeros only, whose loss is no number, none."""
    ranked = np.argsort(losses, kind="stable")[: np.isfinite(losses).sum()].tolist()
    middle = (len(ranked) - 1) // 2
    return list(dict.fromkeys(ranked[place] for place in (0, middle, -1))) if ranked else []


def _level(known: Floats) -> float:
    observed = known[~np.isnan(known)]
    return float(np.abs(observed).mean(dtype=np.float64)) if len(observed) else 0.0


def _withheld(series: Series, horizon: int) -> Floats:
    return series.target[len(series) - horizon :]


def _fan(series: Series, number: int, loss: float, forecast: Forecast, horizon: int) -> Fan:
    known = series.cut(len(series) - horizon)
    (bands,) = quantiles.quantiles(forecast([known]), SHOWN_QUANTILES)
    begin = max(0, len(known) - _BEFORE * horizon)
    return Fan(
        number,
        loss,
        series.start + series.frequency.multiple * begin,
        known.target[begin:],
        _withheld(series, horizon),
        bands,
    )
