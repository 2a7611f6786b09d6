"""What answers for held-back customers are worth: AUC, errors and money, as the text that the quickstart prints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.xgboost.cost import HALF, CostMatrix
from sagedock.algorithms.xgboost.evaluation import area_under_roc, confusion

NAME_WIDTH, BLOCK_WIDTH, CELL_WIDTH = 18, 20, 8
THOUSAND = 1000


@dataclass(frozen=True)
class Answers:
    """What the server said of each customer: the probability (rows,) of leaving, and the decision (rows,) 0 or 1."""

    probability: NDArray[np.float64]
    decision: NDArray[np.int64]


@dataclass(frozen=True)
class Results:
    """Customers whose `labels` (rows,) are known, judged by `answers`.

    `cut_off` is the one that training chose and the server decides by; `matrix` says what each kind of customer costs.
    """

    labels: NDArray[np.int64]
    answers: Answers
    cut_off: float
    matrix: CostMatrix

    @property
    def auc(self) -> float:
        """The chance that a customer who left has a higher probability than one who stayed."""
        return area_under_roc(self.labels, self.answers.probability)

    @property
    def at_half(self) -> NDArray[np.int64]:
        """(2, 2) customers, rows actual and columns predicted, at the cut-off 0.5."""
        return confusion(self.labels, self.answers.probability > HALF, 2)

    @property
    def decided(self) -> NDArray[np.int64]:
        """The same by the server's decisions."""
        return confusion(self.labels, self.answers.decision, 2)

    @property
    def untreated(self) -> NDArray[np.int64]:
        """The same when nobody is called likely to leave."""
        return confusion(self.labels, np.zeros(len(self.labels), dtype=np.int64), 2)

    def per_thousand(self, counts: NDArray[np.int64]) -> float:
        """Cost of these counts for each 1,000 customers."""
        return float(self.matrix.cost(counts)) * THOUSAND / len(self.labels)

    def text(self) -> str:
        """The figures for people, one of the lines being `AUC` and its value."""
        wrong = int(self.at_half[0, 1] + self.at_half[1, 0])
        rows, left = len(self.labels), int(self.labels.sum())
        return "\n".join(
            [
                f"Measured on {rows} customers who were held back, {left} of whom left:",
                "",
                f"AUC {self.auc:.4f}",
                f"error {wrong / rows:.4f} ({wrong} of {rows} judged wrongly at the cut-off 0.5)",
                "",
                *self._table(),
                "",
                *self._money(),
            ]
        )

    def _table(self) -> list[str]:
        titles = (f"cut-off {HALF:g}", f"cut-off {self.cut_off:g}")
        head = "".join(f"{title:>{BLOCK_WIDTH}}" for title in titles)
        lines = [f"{'confusion matrix':<{NAME_WIDTH}}{head}"]
        lines.append(" " * NAME_WIDTH + 2 * f"{'stays':>{BLOCK_WIDTH - CELL_WIDTH}}{'leaves':>{CELL_WIDTH}}")
        for row, name in enumerate(("actually stayed", "actually left")):
            blocks = "".join(
                f"{counts[row, 0]:>{BLOCK_WIDTH - CELL_WIDTH}}{counts[row, 1]:>{CELL_WIDTH}}"
                for counts in (self.at_half, self.decided)
            )
            lines.append(f"{name:<{NAME_WIDTH}}{blocks}")
        return lines

    def _money(self) -> list[str]:
        nobody, half, chosen = (self.per_thousand(counts) for counts in (self.untreated, self.at_half, self.decided))
        lost, promotion, chosen_at = self.matrix.false_negative, self.matrix.true_positive, f"{self.cut_off:g}"
        costs = {
            "no promotions": nobody,
            f"promotions above {HALF:g}": half,
            f"promotions above {chosen_at}": chosen,
        }
        return [
            f"A lost customer costs {dollars(lost)}, a promotion {dollars(promotion)}. "
            f"The cut-off {chosen_at} cost least in validation.",
            "For each 1,000 of the customers held back that makes:",
            *(f"  {dollars(cost):>9}  with {name}" for name, cost in costs.items()),
            f"money saved per 1,000 customers: {dollars(nobody - chosen)} against no promotions, "
            f"{dollars(half - chosen)} against the cut-off {HALF:g}",
        ]


def dollars(amount: float) -> str:
    """An amount in whole dollars."""
    return f"{'-' if round(amount) < 0 else ''}${abs(round(amount)):,}"
