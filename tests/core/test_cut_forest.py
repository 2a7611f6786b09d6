"""Random cut trees of the compiled core: forests and answers are NumPy's to the bit, and no arrays do harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sagedock import core
from sagedock.algorithms.randomcutforest.forest import Forest, build
from tests.without_core import without_core

pytestmark = pytest.mark.usefixtures("native")


def bits(forest: Forest) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in forest.arrays().items()}


def again(forest: Forest, by_depth: bool = False) -> Forest:
    """The same arrays, laid out for the instruction set in use now."""
    return Forest(forest.samples_per_tree, **forest.arrays(), by_depth=by_depth)


def check_answers(forest: Forest, points: Any) -> None:
    """Those of the core are NumPy's, by any number of threads."""
    with without_core():
        scores, shares = forest.scores(points).tobytes(), forest.attributions(points[:40]).tobytes()
    for threads in (1, 3):
        assert forest.scores(points, threads).tobytes() == scores
        assert forest.attributions(points[:40], threads).tobytes() == shares


COLUMNS = [*range(1, 19), 24, 31, 32, 33, 48, 128, 129, 500]


@pytest.mark.parametrize("columns", COLUMNS)
def test_answers_are_numpys(each_native: core.Native, columns: int) -> None:
    """By every instruction set, for points alone, in small groups and sorted by leaves (rcf 12)."""
    chance = np.random.default_rng(columns)
    samples = chance.normal(size=(11, 40, columns)).astype(np.float32).round(1)
    samples[3] = samples[3, 0]  # a tree of one leaf
    forest = again(build(samples, 5))
    points = chance.normal(size=(900, columns)).astype(np.float32).round(1)
    points[::7] = samples[4, :].repeat(4, axis=0)[: len(points[::7])]
    points[5] = 1e30
    points[6] = -np.inf
    for rows in (1, 7, 8, 20, 900):
        check_answers(forest, points[:rows])
    for rows in (1, 20, 900):
        check_answers(again(forest, by_depth=True), points[:rows])


@pytest.mark.parametrize("shape", [(1, 1, 1), (30, 1, 3), (3, 2, 1), (1, 2048, 2), (7, 300, 33), (60, 50, 1)])
def test_forests_are_numpys(shape: tuple[int, int, int]) -> None:
    """Whatever the number of threads."""
    samples = np.random.default_rng(1).normal(size=shape).astype(np.float32).round(2)
    with without_core():
        expected = bits(build(samples, 9))
    for threads in (1, 2, 5):
        assert bits(build(samples, 9, threads)) == expected


NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, 3.4028235e38])
SAMPLES = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 18)), elements=NUMBERS
)


@given(SAMPLES, st.integers(-5, 2**64), st.data())
@settings(max_examples=300)
def test_any_forest_and_any_points_are_as_numpy_has_them(samples, seed, data):
    forest = build(samples, seed)
    with without_core():
        assert bits(build(samples, seed)) == bits(forest)
    width = samples.shape[2]
    points = data.draw(arrays.arrays(np.float32, (9, width), elements=NUMBERS | st.sampled_from([np.inf, -np.inf])))
    check_answers(forest, np.concatenate([points, samples[0]]))


def test_many_rows_are_sorted_and_few_are_not() -> None:
    """Rows are scored in one of two ways, by their number; a row's score is the same."""
    forest = build(np.random.default_rng(0).normal(size=(20, 64, 3)).astype(np.float32), 0)
    points = np.random.default_rng(1).normal(size=(9000, 3)).astype(np.float32)
    whole = forest.scores(points)
    assert np.concatenate([forest.scores(points[i : i + 50]) for i in range(0, 9000, 50)]).tobytes() == whole.tobytes()
    assert forest.scores(points, threads=7).tobytes() == whole.tobytes()


@pytest.mark.parametrize("columns", [1, 3, 8, 16, 40])
def test_a_forest_too_large_to_copy_answers_the_same(each_native: core.Native, columns: int) -> None:
    """Its boxes stay where they are, in memory behind which nothing may be read."""
    chance = np.random.default_rng(columns)
    samples = chance.normal(size=(9, 30, columns)).astype(np.float32).round(1)
    samples[4] = samples[4, 0]
    forest = build(samples, 5)
    arrays = {name: array for name, array in forest.arrays().items() if name != "mass"}
    given = {**arguments(), **arrays, "seen": forest.seen, "scale": forest.scale, "farthest": 2.0**112}
    left, copied = each_native.CutForest(**given, most_packed=0), each_native.CutForest(**given)
    assert left.memory_bytes < copied.memory_bytes or columns == 1
    points = np.concatenate([chance.normal(size=(300, columns)).astype(np.float32).round(1), samples[:, 3]])
    for rows in (1, 12, len(points)):
        assert left.scores(points[:rows], 1).tobytes() == copied.scores(points[:rows], 1).tobytes()
        assert left.attributions(points[:rows], 1).tobytes() == copied.attributions(points[:rows], 1).tobytes()
    assert left.scores(points, 1).tobytes() == forest.scores(points).tobytes()


def arguments(**changes: Any) -> dict[str, Any]:
    """What makes a forest of two trees, of two leaves and of one."""
    sound = {
        "dimension": np.array([0, -1, -1, -1], np.int32),
        "cut": np.array([0.5], np.float32),
        "box": np.array([[[0], [1]]], np.float32),
        "point": np.array([[0], [1], [2]], np.float32),
        "seen": np.array([1, 1, 1], np.float32),
        "unit": 1.0,
        "farthest": 1e30,
        "scale": 1.0,
    }
    return {**sound, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"dimension": np.array([1, -1, -1, -1], np.int32)},
        {"dimension": np.array([-2, -1, -1, -1], np.int32)},
        {"dimension": np.array([-1, 0, -1], np.int32)},
        {"dimension": np.array([-1, -1, -1, 0], np.int32)},
        {"dimension": np.array([-1, -1, -1], np.int32)},
        {"dimension": np.array([], np.int32)},
        {"dimension": np.array([0, -1, -1], np.int32)},
        {"cut": np.array([], np.float32)},
        {"box": np.zeros((1, 2, 2), np.float32)},
        {"box": np.zeros((1, 1, 1), np.float32)},
        {"seen": np.ones(2, np.float32)},
        {"point": np.zeros((3, 0), np.float32), "box": np.zeros((1, 2, 0), np.float32)},
    ],
)
def test_arrays_that_are_no_forest_are_refused(native: core.Native, changes: dict[str, Any]) -> None:
    assert native.CutForest(**arguments()).scores(np.zeros((1, 1), np.float32), 1).tolist() == [2.0]
    with pytest.raises(ValueError, match=r"forest|column|length|end"):
        native.CutForest(**arguments(**changes))


def test_the_core_refuses_nan_and_other_widths_itself(native: core.Native) -> None:
    forest = native.CutForest(**arguments())
    for method in (forest.scores, forest.attributions):
        for rows in (1, 10, 500):
            points = np.zeros((rows, 1), np.float32)
            points[-1] = np.nan
            with pytest.raises(ValueError, match="NaN"):
                method(points, 2)
        with pytest.raises(ValueError, match="width"):
            method(np.zeros((1, 2), np.float32), 1)
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            native.grow_cut_trees(np.full((1, 1, 1), value, np.float32), 0, 1)
    with pytest.raises(ValueError, match="samples"):
        native.grow_cut_trees(np.zeros((1, 0, 1), np.float32), 0, 1)
