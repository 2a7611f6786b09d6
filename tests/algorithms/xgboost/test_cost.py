"""The cost of errors against brute force and the workshop's published figures (xgboost.md section 9.1)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.xgboost.cost import CostMatrix, best_cut_off, expected_costs
from sagedock.errors import UserError

WORKSHOP = CostMatrix.from_rows([[0, 100], [500, 100]])

scores = st.one_of(st.sampled_from([0.0, 5e-324, 1e-323, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32))
records = st.lists(st.tuples(st.integers(0, 1), scores, st.integers(1, 5)), min_size=1, max_size=30)
matrices = st.builds(CostMatrix, *[st.integers(-50, 500)] * 4)


def cost_of(cut_off: float, rows: list[tuple[int, float, int]], matrix: CostMatrix) -> float:
    return sum(weight * matrix.rows()[label][int(score > cut_off)] for label, score, weight in rows)


def candidates(rows: list[tuple[int, float, int]]) -> list[float]:
    return [-1.0, *(score for _, score, _ in rows)]  # a cut-off at a score leaves that record alone


@given(records, matrices)
def test_the_cheapest_cut_off_is_as_cheap_as_brute_force_finds(rows, matrix):
    labels, probabilities, weights = map(list, zip(*rows, strict=True))
    found = best_cut_off(labels, probabilities, matrix, weights)
    assert found.cost == pytest.approx(min(cost_of(cut_off, rows, matrix) for cut_off in candidates(rows)))
    assert cost_of(found.value, rows, matrix) == pytest.approx(found.cost)
    assert cost_of(0.5, rows, matrix) == pytest.approx(found.cost_at_half)
    assert cost_of(1.0, rows, matrix) == pytest.approx(found.cost_of_nobody)
    assert cost_of(-1.0, rows, matrix) == pytest.approx(found.cost_of_everybody)


@given(records, matrices)
def test_every_candidate_costs_what_counting_says(rows, matrix):
    labels, probabilities, weights = map(list, zip(*rows, strict=True))
    curve = expected_costs(labels, probabilities, matrix, weights)
    assert len(curve.costs) == len(set(probabilities)) + 1
    for cut_off, cost in zip(curve.cut_offs, curve.costs, strict=True):
        assert cost == pytest.approx(cost_of(cut_off, rows, matrix))


@given(records, matrices)
def test_the_chosen_value_decides_alike_in_single_precision(rows, matrix):
    labels, probabilities, weights = map(list, zip(*rows, strict=True))
    probabilities = np.float32(probabilities).astype(float)  # what a booster gives
    value = best_cut_off(labels, probabilities, matrix, weights).value
    in_double = np.array(probabilities) > value
    assert ((np.array(probabilities, dtype=np.float32) > value) == in_double).all()


@given(records, matrices, st.randoms())
def test_order_of_records_does_not_matter(rows, matrix, random):
    shuffled = random.sample(rows, len(rows))
    first, second = ([list(column) for column in zip(*given_rows, strict=True)] for given_rows in (rows, shuffled))
    assert best_cut_off(first[0], first[1], matrix, first[2]) == best_cut_off(second[0], second[1], matrix, second[2])


@pytest.mark.parametrize(
    ("counts", "cost"),
    [
        ([[235, 18], [9, 238]], 30_100),  # the published matrix of 500 test customers at 0.5
        ([[215, 38], [3, 244]], 29_700),  # and at 0.3
        ([[253, 0], [247, 0]], 123_500),  # treat nobody
        ([[0, 253], [0, 247]], 50_000),  # treat everybody
        ([[253, 0], [0, 247]], 24_700),  # know everything
    ],
)
def test_the_workshops_matrix_gives_the_workshops_costs(counts, cost):
    assert WORKSHOP.cost(counts) == cost


def test_the_workshops_bounds_come_out_of_the_cut_offs():
    labels = np.repeat([0, 1], [253, 247])
    found = best_cut_off(labels, labels * 0.8 + 0.1, WORKSHOP)
    assert (found.cost, found.cost_of_nobody, found.cost_of_everybody) == (24_700, 123_500, 50_000)
    assert found.saved_against_nobody == pytest.approx(197_600)
    assert found.saved_against_half == 0
    assert found.cost_per_thousand == pytest.approx(49_400)


def test_among_equally_cheap_cut_offs_the_calibrated_one_is_nearest():
    assert WORKSHOP.calibrated_cut_off == pytest.approx(0.2)
    flat = best_cut_off([0, 1, 0, 1], [0.1, 0.3, 0.6, 0.8], CostMatrix(0, 0, 0, 0))
    assert flat.value == 0.45  # nothing costs, so the gap whose middle is nearest to one half
    one_gap = best_cut_off([0, 1], [0.1, 0.9], WORKSHOP)
    assert one_gap.value == 0.5


def test_a_weight_counts_as_so_many_records():
    labels, probabilities, weights = [0, 1, 1], [0.4, 0.3, 0.7], [4, 1, 2]
    repeated = best_cut_off(np.repeat(labels, weights), np.repeat(probabilities, weights), WORKSHOP)
    assert best_cut_off(labels, probabilities, WORKSHOP, weights) == repeated


def test_one_class_only_treats_everybody_or_nobody():
    assert best_cut_off([0, 0], [0.2, 0.9], WORKSHOP).cost == 0
    assert best_cut_off([1, 1], [0.0, 0.9], WORKSHOP).cost == 200


def test_neighbouring_single_precision_scores_are_told_apart():
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    value = best_cut_off([0, 1], np.array([low, high]), CostMatrix(0, 1, 1, 0)).value
    assert (np.array([low, high]) > value).tolist() == [False, True]


@pytest.mark.parametrize("rows", [[[0, 100]], [[0, 1, 2], [3]], [[0, float("nan")], [1, 2]], [], [[0], [1]]])
def test_a_matrix_of_another_shape_is_refused_with_the_right_one(rows):
    with pytest.raises(UserError, match=r"\[\[TN, FP\], \[FN, TP\]\]"):
        CostMatrix.from_rows(rows)


def test_a_prediction_that_is_nan_is_named_by_its_row():
    with pytest.raises(UserError, match="row 2"):
        best_cut_off([0, 1], [0.5, float("nan")], WORKSHOP)


def test_no_records_are_refused():
    with pytest.raises(UserError, match="validation"):
        best_cut_off([], [], WORKSHOP)


def test_rows_are_the_shape_that_is_read():
    assert CostMatrix.from_rows(WORKSHOP.rows()) == WORKSHOP
