"""Random cut forests: what they are and how they score, against a plain recursive reference."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from sagedock.algorithms.randomcutforest.forest import Forest, build, uniforms
from tests.algorithms.randomcutforest import reference

pytestmark = pytest.mark.usefixtures("way")

LARGEST = float(np.finfo(np.float32).max)
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def references(samples: Any, seed: int) -> list[reference.Cut | reference.Leaf]:
    return [
        reference.build([tuple(point) for point in points.tolist()], iter(uniforms(seed, tree, len(points)).tolist()))
        for tree, points in enumerate(samples)
    ]


def in_preorder(tree: reference.Cut | reference.Leaf) -> list[reference.Cut | reference.Leaf]:
    return [tree] if isinstance(tree, reference.Leaf) else [tree, *in_preorder(tree.left), *in_preorder(tree.right)]


def check_equal(forest: Forest, trees: list[reference.Cut | reference.Leaf]) -> None:
    """Every number of the forest is the reference's."""
    nodes = [node for tree in trees for node in in_preorder(tree)]
    cuts = [node for node in nodes if isinstance(node, reference.Cut)]
    leaves = [node for node in nodes if isinstance(node, reference.Leaf)]
    assert forest.dimension.tolist() == [node.column if isinstance(node, reference.Cut) else -1 for node in nodes]
    assert forest.cut.tolist() == [cut.value for cut in cuts]
    assert forest.box.tolist() == [[list(cut.low), list(cut.high)] for cut in cuts]
    assert forest.point.tolist() == [list(leaf.point) for leaf in leaves]
    assert forest.mass.tolist() == [leaf.mass for leaf in leaves]
    assert forest.node_counts.tolist() == [len(in_preorder(tree)) for tree in trees]


COORDINATES = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, LARGEST])
SAMPLES = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 20)), elements=COORDINATES
)


@given(SAMPLES, st.integers(0, 2**64 - 1))
@settings(max_examples=200)
def test_any_samples_make_the_trees_of_the_reference(samples, seed):
    forest = build(samples, seed)
    check_equal(forest, references(samples, seed))
    assert all(np.isfinite(forest.scores(points)).all() for points in samples)
    assert all(np.isfinite(forest.attributions(points)).all() for points in samples)


@pytest.mark.parametrize("shape", [(5, 64, 1), (5, 64, 10), (3, 40, 48), (2, 30, 200)])
def test_scores_and_attributions_are_the_references(shape: tuple[int, int, int]) -> None:
    """rcf 6.3 and 6.4, for points that were seen, that are inside and that are outside."""
    samples = normal(*shape).round(1)
    trees = references(samples, 7)
    forest = build(samples, 7)
    check_equal(forest, trees)
    points = np.concatenate([samples[0, :10], normal(30, shape[2], seed=1), 5 + normal(5, shape[2], seed=2)])
    scale = math.log2(shape[1] + 1)
    expected = [reference.forest_score(trees, point, shape[1]) for point in points.tolist()]
    np.testing.assert_allclose(forest.scores(points), expected, rtol=3e-6)
    shares = [np.mean([reference.attribution(tree, point) for tree in trees], 0) * scale for point in points.tolist()]
    np.testing.assert_allclose(forest.attributions(points), shares, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(5, 64, 1), (5, 64, 10), (3, 40, 48)])
def test_scores_by_depth_are_the_references(shape: tuple[int, int, int]) -> None:
    samples = normal(*shape).round(1)
    trees = references(samples, 7)
    forest = replace(build(samples, 7), by_depth=True)
    points = np.concatenate([samples[0, :10], normal(30, shape[2], seed=1), 5 + normal(5, shape[2], seed=2)])
    expected = [reference.forest_score_by_depth(trees, point, shape[1]) for point in points.tolist()]
    np.testing.assert_allclose(forest.scores(points), expected, rtol=3e-6)


@pytest.mark.parametrize("by_depth", [False, True])
def test_attributions_sum_to_the_score(by_depth: bool) -> None:
    forest = replace(build(normal(20, 64, 12), 1), by_depth=by_depth)
    points = np.concatenate([normal(50, 12, seed=3) * 3, forest.point[:20]])
    np.testing.assert_allclose(forest.attributions(points).sum(1), forest.scores(points), rtol=1e-6)


def test_the_column_that_is_unusual_has_the_score() -> None:
    forest = build(normal(50, 128, 6), 1)
    point = np.zeros((1, 6), np.float32)
    point[0, 4] = 12
    shares = forest.attributions(point)[0]
    assert shares.argmax() == 4
    assert shares[4] > 0.8 * shares.sum()


def test_the_first_cut_is_chosen_by_the_sides_and_uniform_in_them() -> None:
    """rcf 9: dimension 0 of a rectangle of sides 3 and 1 with frequency 0.75 +- 0.02 in 10,000 cuts."""
    corners = np.array([[0, 0], [3, 1]], np.float32)
    forest = build(np.broadcast_to(corners, (10_000, 2, 2)), 5)
    column = forest.dimension[forest.first[:-1]]
    assert abs((column == 0).mean() - 0.75) < 0.02
    assert stats.kstest(forest.cut[column == 0] / 3, "uniform").pvalue > 0.001
    assert stats.kstest(forest.cut[column == 1], "uniform").pvalue > 0.001


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 2.0**100, -SMALLEST, LARGEST / 2, -LARGEST])
def test_neighbours_in_float32_are_cut_apart(value: float) -> None:
    """rcf 10: each of two adjacent values has its side."""
    lower = np.float32(value)
    points = np.array([[lower], [np.nextafter(lower, np.float32(np.inf))]], np.float32)
    forest = build(np.broadcast_to(points, (200, 2, 1)), 0)
    assert (forest.node_counts == 3).all()
    assert (forest.cut == lower).all()


def test_equal_points_are_one_leaf() -> None:
    """rcf 11: mass n, and 1 / log2(n) per tree for the point itself."""
    forest = build(np.full((3, 37, 4), 2.5, np.float32), 0)
    assert forest.mass.tolist() == [37] * 3
    assert (forest.node_counts.tolist(), forest.depths.tolist()) == ([1] * 3, [1] * 3)
    seen, unseen = forest.scores(np.array([[2.5] * 4, [2.5, 2.5, 2.5, 3]], np.float32))
    assert seen == pytest.approx(math.log2(38) / math.log2(37), rel=1e-6)
    assert unseen == pytest.approx(math.log2(38), rel=1e-6)
    assert forest.attributions(np.full((1, 4), 2.5, np.float32))[0] == pytest.approx([seen / 4] * 4)


def test_a_tree_of_one_sample_scores_one() -> None:
    forest = build(normal(5, 1, 3), 0)
    assert forest.scores(normal(4, 3)).tolist() == [1.0] * 4
    assert forest.scores(forest.point).tolist() == [1.0] * 5


def test_a_forest_answers_the_same_again_and_alone() -> None:
    """rcf 12, and no score depends on the other rows."""
    forest = build(normal(10, 64, 7), 3)
    points = normal(100, 7, seed=4)
    scores = forest.scores(points)
    assert forest.scores(points).tobytes() == scores.tobytes()
    assert b"".join(forest.scores(point[None]).tobytes() for point in points) == scores.tobytes()
    assert build(normal(10, 64, 7), 3).cut.tobytes() == forest.cut.tobytes()
    assert build(normal(10, 64, 7), 4).cut.tobytes() != forest.cut.tobytes()


@pytest.mark.parametrize("columns", [1, 10, 1000])
def test_a_far_point_is_cut_off_at_once(columns: int) -> None:
    """rcf 13: a million box widths away, the score is about log2(M + 1)."""
    forest = build(normal(10, 256 if columns < 1000 else 16, columns), 3)
    point = np.zeros((1, columns), np.float32)
    point[0, 0] = 1e6 * (forest.box[0, 1] - forest.box[0, 0]).max() * columns
    assert forest.scores(point)[0] == pytest.approx(math.log2(forest.samples_per_tree + 1), rel=1e-4)


@pytest.mark.parametrize("columns", [1, 2, 48])
def test_points_outside_score_higher(columns: int) -> None:
    """rcf 14: than uniform data inside the box, on average."""
    chance = np.random.default_rng(columns)
    forest = build(chance.random((30, 128, columns), np.float32), 0)
    inside = chance.random((200, columns), np.float32)
    assert forest.scores(inside).mean() < forest.scores(inside + 1.5).mean()


def test_levels_are_counted_from_one() -> None:
    """rcf 6.1: trees_depth is the deepest leaf's depth and one more. Points on a line, ever farther apart."""
    points = np.cumprod(np.full((1, 120, 1), 2, np.float32), axis=1)
    forest = build(np.repeat(points, 3, axis=0), 0)

    def levels(tree: reference.Cut | reference.Leaf) -> int:
        return 1 if isinstance(tree, reference.Leaf) else 1 + max(levels(tree.left), levels(tree.right))

    trees = references(np.repeat(points, 3, axis=0), 0)
    assert forest.depths.tolist() == [levels(tree) for tree in trees]
    assert forest.depths.max() > 20


def test_huge_numbers_neither_overflow_nor_lose_the_scale() -> None:
    """Sides up to 6.8e38 in 1,000 columns; the same forest a power of two smaller scores the same."""
    samples = np.clip(normal(5, 32, 1000), -1, 1)
    points = np.clip(normal(20, 1000, seed=2), -1, 1)
    scale = np.float32(2.0**127)
    huge, small = build(samples * scale, 1), build(samples, 1)
    assert huge.dimension.tobytes() == small.dimension.tobytes()
    assert huge.scores(points * scale).tobytes() == small.scores(points).tobytes()
    assert huge.attributions(points * scale).tobytes() == small.attributions(points).tobytes()
    far = np.array([[LARGEST] * 1000, [-LARGEST] * 1000, [np.inf] * 1000], np.float32)
    assert small.scores(far) == pytest.approx([math.log2(33)] * 3)
    assert small.attributions(far).sum(1) == pytest.approx([math.log2(33)] * 3)


def test_points_of_another_width_and_nan_are_refused() -> None:
    forest = build(normal(3, 8, 2), 0)
    for method in (forest.scores, forest.attributions):
        assert len(method(np.empty((0, 2), np.float32))) == 0
        with pytest.raises(ValueError, match="NaN"):
            method(np.array([[0, 1], [np.nan, 0]], np.float32))
        with pytest.raises(ValueError, match=r"\(rows, 2\)"):
            method(normal(4, 3))
        with pytest.raises(ValueError, match=r"\(rows, 2\)"):
            method(normal(4))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_have_to_be_finite(value: float) -> None:
    samples = normal(2, 3, 4)
    samples[1, 2, 3] = value
    with pytest.raises(ValueError, match="finite"):
        build(samples, 0)
    with pytest.raises(ValueError, match="none of them 0"):
        build(samples[:, :0], 0)


def damaged() -> list[tuple[str, dict[str, Any]]]:
    """Arrays that are no forest, each with what is said of them: two trees of three and one leaf over two columns."""
    sound = build(np.array([[[0, 0], [1, 1], [2, 5]], [[4, 4], [4, 4], [4, 4]]], np.float32), 0)

    def changed(name: str, place: Any, value: Any) -> dict[str, Any]:
        array = getattr(sound, name).copy()
        array[place] = value
        return {name: array}

    return [
        ("column", changed("dimension", 0, 2)),
        ("column", changed("dimension", 2, -2)),
        ("end", {"dimension": np.array([-1, -1, -1, 0, -1, 0], np.int32)}),
        ("has to be", {"dimension": sound.dimension[:-1]}),
        ("has to be", {"dimension": sound.dimension.astype(np.int64)}),
        ("has to be", {"cut": sound.cut[:-1]}),
        ("has to be", {"box": sound.box[:, :, :1]}),
        ("has to be", {"box": sound.box[:1]}),
        ("has to be", {"point": sound.point[:, 0]}),
        ("has to be", {"mass": sound.mass[:-1]}),
        ("samples", changed("mass", 0, 0)),
        ("samples", changed("mass", 0, 2)),
        ("samples", {"mass": np.array([-1, 3, 1, 3], np.int32)}),
        ("finite", changed("cut", 0, np.nan)),
        ("finite", changed("box", (0, 0, 0), np.inf)),
        ("finite", changed("point", (0, 0), np.nan)),
        ("ends before", changed("box", (0, 0, 0), 100)),
        ("samples", {"samples_per_tree": 4}),
        ("leaf and a column", {"point": np.empty((4, 0), np.float32), "box": np.empty((2, 2, 0), np.float32)}),
    ]


@pytest.mark.parametrize(("said", "change"), damaged())
def test_arrays_that_are_no_forest_are_refused(said: str, change: dict[str, Any]) -> None:
    sound = build(np.array([[[0, 0], [1, 1], [2, 5]], [[4, 4], [4, 4], [4, 4]]], np.float32), 0)
    with pytest.raises(ValueError, match=said):
        replace(sound, **change)


def test_arrays_make_the_same_forest() -> None:
    forest = build(normal(4, 30, 5), 2)
    again = Forest(forest.samples_per_tree, **forest.arrays())
    points = normal(20, 5, seed=9)
    assert again.scores(points).tobytes() == forest.scores(points).tobytes()
    assert forest.memory_bytes == sum(array.nbytes for array in forest.arrays().values())
