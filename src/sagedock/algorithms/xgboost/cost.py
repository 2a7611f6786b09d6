"""The cost of errors: what a cut-off on the probability costs, and which cut-off costs least.

Costs are in whatever unit the matrix is in (the churn workshop's is dollars). A prediction is positive ("treat this
customer") when its probability is greater than the cut-off, as in the workshop. Source: C. Elkan, The Foundations of
Cost-Sensitive Learning, IJCAI 2001, whose matrix is the transpose of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sagedock.errors import UserError

HALF = 0.5
_TIE = 1e-12  # costs closer than this, relative to the dearest, differ by rounding only


@dataclass(frozen=True)
class CostMatrix:
    """What one record of each kind costs."""

    true_negative: float
    false_positive: float
    false_negative: float
    true_positive: float

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[float]]) -> CostMatrix:
        """From [[TN, FP], [FN, TP]]: rows are the actual class, columns the predicted one.

        Raises UserError for another shape or a cost that is not finite.
        """
        shape = [len(row) for row in rows]
        values = [float(value) for row in rows for value in row]
        if shape != [2, 2] or not np.isfinite(values).all():
            raise UserError(
                f"the cost matrix {rows!r} is not two rows of two finite numbers: "
                "give [[TN, FP], [FN, TP]], for example [[0, 100], [500, 100]]"
            )
        return cls(*values)

    def rows(self) -> list[list[float]]:
        """[[TN, FP], [FN, TP]], the shape that `from_rows` takes."""
        return [[self.true_negative, self.false_positive], [self.false_negative, self.true_positive]]

    def cost(self, counts: ArrayLike) -> Any:
        """The cost of confusion counts (..., 2, 2), rows actual, columns predicted."""
        return (np.asarray(counts, dtype=float) * np.array(self.rows())).sum(axis=(-2, -1))

    @property
    def calibrated_cut_off(self) -> float:
        """The cut-off that is best when the probabilities are exactly right; 0.5 when errors are not what costs."""
        treated_in_vain = self.false_positive - self.true_negative
        missed = self.false_negative - self.true_positive
        if treated_in_vain <= 0 or missed <= 0:
            return HALF
        return treated_in_vain / (treated_in_vain + missed)


@dataclass(frozen=True)
class CostCurve:
    """The total cost of every cut-off that makes a difference, in ascending order of `cut_offs`.

    Candidate i calls positive whatever is above `lows[i]`: any cut-off in [lows[i], highs[i]) decides alike.
    `cut_offs[i]` lies in that interval; the first candidate treats everybody, the last treats nobody.
    """

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    cut_offs: NDArray[np.float64]
    costs: NDArray[np.float64]

    def cost_at(self, cut_off: float) -> float:
        """The total cost of treating whoever has a probability above `cut_off`."""
        return float(self.costs[np.searchsorted(self.lows, cut_off, side="right") - 1])


@dataclass(frozen=True)
class CutOff:
    """The cheapest cut-off, and what it costs on `customers` records (their total weight) beside the alternatives."""

    value: float
    cost: float
    cost_at_half: float
    cost_of_nobody: float
    cost_of_everybody: float
    customers: float

    @property
    def cost_per_thousand(self) -> float:
        """Cost for each 1,000 customers."""
        return 1000 * self.cost / self.customers

    @property
    def saved_against_nobody(self) -> float:
        """What 1,000 customers cost less than if nobody were treated."""
        return 1000 * (self.cost_of_nobody - self.cost) / self.customers

    @property
    def saved_against_half(self) -> float:
        """What 1,000 customers cost less than with the cut-off 0.5."""
        return 1000 * (self.cost_at_half - self.cost) / self.customers


def expected_costs(
    labels: ArrayLike, probabilities: ArrayLike, matrix: CostMatrix, weights: ArrayLike | None = None
) -> CostCurve:
    """The exact cost of all cut-offs: one candidate between each two neighbouring distinct probabilities.

    `labels` (n,) are 0 or 1, `probabilities` (n,), `weights` (n,) count a record that many times. Raises UserError
    when there is no record or a probability is NaN.
    """
    positive, scores, weight = _checked(labels, probabilities, weights)
    order = np.argsort(scores, kind="stable")
    distinct, starts = np.unique(scores[order], return_index=True)
    # below[i]: weight of the records that candidate i leaves alone, the candidate being just under distinct[i]
    negatives_below = _before(weight * ~positive, order, starts)
    positives_below = _before(weight * positive, order, starts)
    costs = (
        matrix.true_negative * negatives_below
        + matrix.false_positive * (negatives_below[-1] - negatives_below)
        + matrix.false_negative * positives_below
        + matrix.true_positive * (positives_below[-1] - positives_below)
    )
    lows = np.concatenate([[-np.inf], distinct])
    highs = np.concatenate([distinct, [np.inf]])
    return CostCurve(lows, highs, _between(distinct), costs)


def best_cut_off(
    labels: ArrayLike, probabilities: ArrayLike, matrix: CostMatrix, weights: ArrayLike | None = None
) -> CutOff:
    """The cut-off of least expected cost; see `expected_costs` for the arguments.

    Among equally cheap ones it is the nearest to `CostMatrix.calibrated_cut_off`, then the lower. The value has as few
    decimals as separate its two neighbouring probabilities, in float32 too, so that reports show the value in use.
    """
    curve = expected_costs(labels, probabilities, matrix, weights)
    tolerance = _TIE * float(np.abs(curve.costs).max())
    cheapest = np.flatnonzero(curve.costs <= curve.costs.min() + tolerance)
    distances = np.abs(curve.cut_offs[cheapest] - matrix.calibrated_cut_off)
    chosen = int(cheapest[np.argmin(distances)])
    _, _, weight = _checked(labels, probabilities, weights)
    return CutOff(
        value=_shortest(float(curve.cut_offs[chosen]), float(curve.lows[chosen]), float(curve.highs[chosen])),
        cost=float(curve.costs[chosen]),
        cost_at_half=curve.cost_at(HALF),
        cost_of_nobody=float(curve.costs[-1]),
        cost_of_everybody=float(curve.costs[0]),
        customers=float(weight.sum()),
    )


def _checked(
    labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    positive = np.asarray(labels) == 1
    scores = np.asarray(probabilities, dtype=np.float64)
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(scores) or not weight.sum() > 0:
        raise UserError("a cut-off cannot be chosen without records of positive weight: give validation data")
    if np.isnan(scores).any():
        row = int(np.flatnonzero(np.isnan(scores))[0]) + 1
        raise UserError(
            f"the prediction for row {row} is NaN, so no cut-off can be chosen: train on finite values", row=row
        )
    return positive, scores, weight


def _before(amounts: NDArray[Any], order: NDArray[np.intp], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    cumulated = np.concatenate([[0.0], np.cumsum(amounts[order], dtype=np.float64)])
    return np.concatenate([cumulated[starts], cumulated[-1:]])


def _between(distinct: NDArray[np.float64]) -> NDArray[np.float64]:
    """One cut-off for each candidate: 0 treats everybody unless a probability is 0, and 1 treats nobody."""
    everybody = 0.0 if distinct[0] > 0 else distinct[0] - 1
    nobody = max(1.0, distinct[-1])
    middles = (distinct[:-1] + distinct[1:]) / 2
    return np.concatenate([[everybody], np.where(middles < distinct[1:], middles, distinct[:-1]), [nobody]])


def _shortest(value: float, low: float, high: float) -> float:
    for decimals in range(2, 17):
        candidate = round(value, decimals)
        if low <= candidate < high and np.float32(low) <= np.float32(candidate) < np.float32(high):
            return candidate
    return low  # neighbours in float64 or float32: the lower one itself separates them, since the comparison is strict
