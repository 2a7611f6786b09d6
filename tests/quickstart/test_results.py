"""The figures that the quickstart prints, on a case worked out by hand."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.xgboost.cost import CostMatrix

LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
PROBABILITIES = np.array([0.1, 0.1, 0.2, 0.2, 0.35, 0.6, 0.25, 0.4, 0.7, 0.9])
COSTS = CostMatrix.from_rows([[0, 100], [500, 100]])


@pytest.fixture
def ten(results: ModuleType) -> Any:
    decisions = (PROBABILITIES > 0.3).astype(np.int64)
    return results.Results(LABELS, results.Answers(PROBABILITIES, decisions), 0.3, COSTS)


def test_counts_at_both_cut_offs(ten: Any) -> None:
    """Rows actual, columns predicted."""
    assert ten.at_half.tolist() == [[5, 1], [2, 2]]
    assert ten.decided.tolist() == [[4, 2], [1, 3]]
    assert ten.untreated.tolist() == [[6, 0], [4, 0]]


def test_auc_counts_the_pairs_in_the_right_order(ten: Any) -> None:
    """24 pairs of one who left and one who stayed; 0.25 lies below two who stayed, 0.4 below one."""
    assert ten.auc == pytest.approx(21 / 24)


def test_costs_for_a_thousand_customers(ten: Any) -> None:
    """At 0.5: 1 and 2 promotions in vain and in time, 2 lost; at 0.3: 2, 3 and 1; nobody treated: 4 lost."""
    assert ten.per_thousand(ten.at_half) == 100 * (100 + 2 * 500 + 2 * 100)
    assert ten.per_thousand(ten.decided) == 100 * (2 * 100 + 500 + 3 * 100)
    assert ten.per_thousand(ten.untreated) == 100 * 4 * 500


def test_the_text_holds_the_figures(ten: Any) -> None:
    """Issue item 1: a line `AUC 0.9123`, error, both confusion matrices, money saved per 1,000 customers."""
    lines = ten.text().splitlines()
    assert "AUC 0.8750" in lines
    assert "error 0.3000 (3 of 10 judged wrongly at the cut-off 0.5)" in lines
    rows = {line[:15].strip(): line.split()[2:] for line in lines if line.startswith("actually")}
    assert rows == {"actually stayed": ["5", "1", "4", "2"], "actually left": ["2", "2", "1", "3"]}
    assert lines[-1] == (
        "money saved per 1,000 customers: $100,000 against no promotions, $30,000 against the cut-off 0.5"
    )


def test_a_loss_is_written_as_one(results: ModuleType) -> None:
    assert results.dollars(-1234.4) == "-$1,234"
    assert results.dollars(-0.3) == "$0"
