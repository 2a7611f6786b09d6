"""Streams: points are scored, then learnt; the trees stay those of the points that they hold."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from sagedock import core
from sagedock.algorithms.randomcutforest.forest import FARTHEST, LARGE, build, uniforms
from sagedock.algorithms.randomcutforest.reservoir_trees import ReservoirTrees
from sagedock.algorithms.randomcutforest.soundness import require_trees
from sagedock.algorithms.randomcutforest.stream import STEP, Stream, default_decay

WAYS = [pytest.param(True, id="core"), pytest.param(False, id="python")]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[bool]:
    """With the compiled core, and without it."""
    native = core.native
    if request.param and native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    core.native = native if request.param else None
    yield request.param
    core.native = native


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def held(trees: ReservoirTrees) -> Any:
    """The points of each tree's reservoir, (trees, samples, columns)."""
    return trees.point[np.arange(trees.trees)[:, None], trees.leaf_of - (trees.samples - 1), : trees.columns]


def require_boxes(trees: ReservoirTrees) -> None:
    """Boxes, masses and node counts are those recomputed, by recursion, from the points and the cuts."""
    for tree in range(trees.trees):
        points = held(trees)[tree]
        assert _nodes(trees, tree, int(trees.root[tree]), points) == 2 * len(np.unique(points, axis=0)) - 1


def _nodes(trees: ReservoirTrees, tree: int, node: int, points: Any) -> int:
    first_leaf = trees.samples - 1
    if node >= first_leaf:
        assert (points == trees.point[tree, node - first_leaf, : trees.columns]).all()
        assert trees.mass[tree, node - first_leaf] == len(points)
        return 1
    assert (trees.box[tree, node, 0, : trees.columns] == points.min(axis=0)).all()
    assert (trees.box[tree, node, 1, : trees.columns] == points.max(axis=0)).all()
    left = points[:, trees.dimension[tree, node]] <= trees.cut[tree, node]
    assert 0 < left.sum() < len(points)
    first, second = trees.child[tree, node].tolist()
    return 1 + _nodes(trees, tree, first, points[left]) + _nodes(trees, tree, second, points[~left])


COORDINATES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5, -1.0, 1e-45, 1e30, 3e38]) | st.floats(-4, 4, width=32)


@st.composite
def series(draw: Callable[..., Any]) -> tuple[Any, Any]:
    """The samples of trees, and points that come after them."""
    columns = draw(st.integers(1, 19))
    samples = draw(st.tuples(st.integers(1, 3), st.integers(1, 9)))
    rows = draw(st.integers(1, 25))
    return tuple(
        draw(arrays.arrays(np.float32, shape, elements=COORDINATES)) for shape in ((*samples, columns), (rows, columns))
    )


@given(series(), st.floats(0, 1), st.integers(0, 2**40))
@settings(max_examples=150)
def test_trees_are_those_of_the_points_they_hold_after_any_sequence(given, decay, seed):
    samples, points = given
    outcomes = []
    native = core.native
    for used in (native, None):
        core.native = used
        stream = Stream.of(build(samples, 1), seen=samples.shape[1], seed=seed, decay=decay)
        shares = np.empty(points.shape, np.float32)
        try:
            scores = stream.follow(points, shares)
        finally:
            core.native = native
        require_boxes(stream.trees)
        require_trees(stream.trees)
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(shares.sum(axis=1), scores, rtol=1e-5)
        outcomes.append([scores.tolist(), shares.tolist(), *(array.tolist() for array in stream.state().values())])
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("samples", [1, 2, 40])
def test_scores_before_anything_is_learnt_are_the_forests(way: bool, samples: int) -> None:
    forest = build(normal(20, samples, 5).round(1), 3)
    points = np.concatenate([normal(60, 5, seed=1).round(1), forest.point[:5], np.full((1, 5), np.inf, np.float32)])
    stream = Stream.of(forest, seen=20 * samples, seed=0)
    assert stream.scores(points).tolist() == forest.scores(points).tolist()
    shares = np.empty((1, 5), np.float32)
    assert stream.follow(points[:1], shares).tolist() == forest.scores(points[:1]).tolist()
    np.testing.assert_allclose(shares, forest.attributions(points[:1]), rtol=1e-5)


def test_coordinates_as_large_as_they_come_are_measured_in_a_larger_unit(way: bool) -> None:
    samples = normal(200, 32, 3)
    usual, large = (Stream.of(build(samples * np.float32(scale), 3), 6400, 3) for scale in (1, 1e37))
    assert (usual.unit, large.unit) == (1, LARGE)
    points = normal(20, 3, seed=1)
    np.testing.assert_allclose(large.follow(points * np.float32(1e37)), usual.follow(points), rtol=0.1)


def test_points_are_as_likely_to_be_held_as_any_other() -> None:
    """Without decay the reservoir of a tree is a uniform sample: 60 points, 4,000 trees of 8."""
    trees = 4000
    stream = Stream.of(build(np.tile(np.arange(8, dtype=np.float32)[:, None], (trees, 1, 1)), 0), 8, 5, decay=0)
    stream.follow(np.arange(8, 60, dtype=np.float32)[:, None])
    counts = np.bincount(held(stream.trees).astype(int).ravel(), minlength=60)
    assert counts.sum() == trees * 8
    assert stats.chisquare(counts).pvalue > 1e-4


def test_memory_fades_as_fast_as_decay_says() -> None:
    """Where every point enters with probability samples * decay, its age is geometric with mean 1 / decay."""
    stream = Stream.of(build(np.full((2000, 4, 1), -1, np.float32), 0), 4, 5, decay=1 / 20)
    stream.follow(np.arange(250, dtype=np.float32)[:, None])
    ages = 249 - held(stream.trees).ravel()
    deviation = np.sqrt(20 * 19 / len(ages))
    assert abs(ages.mean() - 19) < 5 * deviation  # 0 for the newest


POINTS = np.array([[0, 0], [1, 0], [0, 2], [3, 1], [3, 3]], np.float32)


def shape_of(points: Any, cuts: Callable[[int], tuple[int, float, int, int] | None], node: int) -> str:
    """A tree's shape: how each cut divides the points, written out."""
    found = cuts(node)
    if found is None:
        return "."
    column, value, first, second = found
    left = points[:, column] <= value
    return f"({left.astype(int)}{shape_of(points[left], cuts, first)}{shape_of(points[~left], cuts, second)})"


def replaced(count: int) -> ReservoirTrees:
    """Trees that held other points, each of which went out for one of POINTS to come in, in any order."""
    random = np.random.default_rng(7)
    others = random.normal(size=(count, len(POINTS), 2)).astype(np.float32) * 2
    trees = ReservoirTrees.of(build(others, 2))
    for tree in range(count):
        for draw, slot in enumerate(random.permutation(len(POINTS)).tolist()):
            point = np.zeros(trees.width, np.float32)
            point[:2] = POINTS[slot]
            trees.take_out(tree, slot)
            trees.let_in(tree, slot, point, uniforms(99 + draw * STEP, tree, 7))
    return trees


def test_replaced_trees_are_distributed_as_trees_built_afresh() -> None:
    """Guha et al. (2016), section 2: by shapes (chi square), and by root cuts of each column (Kolmogorov-Smirnov)."""
    count = 3000
    trees, fresh = replaced(count), ReservoirTrees.of(build(np.tile(POINTS, (count, 1, 1)), 5))
    shapes, roots = [], []
    for made in (trees, fresh):
        seen: Counter[str] = Counter()
        for tree in range(count):

            def cuts(node: int, made: ReservoirTrees = made, tree: int = tree) -> tuple[int, float, int, int] | None:
                if node >= made.samples - 1:
                    return None
                return int(made.dimension[tree, node]), float(made.cut[tree, node]), *made.child[tree, node].tolist()

            seen[shape_of(POINTS, cuts, int(made.root[tree]))] += 1
        shapes.append(seen)
        every = np.arange(count)
        roots.append((made.dimension[every, made.root], made.cut[every, made.root]))
    usual = [shape for shape in shapes[0] | shapes[1] if shapes[0][shape] + shapes[1][shape] >= 20]
    assert len(usual) > 10
    table = [[seen[shape] for shape in usual] for seen in shapes]
    assert stats.chi2_contingency(table).pvalue > 1e-4
    for column in range(2):
        one, other = (cut[dimension == column] for dimension, cut in roots)
        assert stats.ks_2samp(one, other).pvalue > 1e-4
    assert abs((roots[0][0] == 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(count)  # the box is 3 by 3


def test_a_stream_taken_up_again_goes_on_as_if_never_put_down(way: bool) -> None:
    points = normal(300, 4)
    whole = Stream.of(build(normal(10, 16, 4, seed=1), 3), 160, 9)
    parted = Stream.of(build(normal(10, 16, 4, seed=1), 3), 160, 9)
    expected = whole.follow(points)
    first = parted.follow(points[:123])
    stored = io.BytesIO()
    np.savez(stored, **parted.state())
    stored.seek(0)
    resumed = Stream.resumed(dict(np.load(stored)))
    assert np.concatenate([first, resumed.follow(points[123:])]).tolist() == expected.tolist()
    assert resumed.seen == whole.seen == 460


def test_one_call_or_many_make_no_difference(way: bool) -> None:
    points = normal(60, 2)
    together, apart = (Stream.of(build(normal(5, 8, 2, seed=1), 3), 40, 9) for _ in range(2))
    assert together.follow(points).tolist() == [float(apart.follow(point[None])[0]) for point in points]


def damages(state: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """What is damaged, what the error says, and the array."""

    def changed(name: str, value: Any, *place: int) -> Any:
        array = state[name].copy()
        array[place or ...] = value
        return array

    root = int(state["root"][0])
    first = int(state["child"][0, root, 0])
    leaf = int(state["leaf_of"][0, 0])
    yield "root", "does not exist", changed("root", 10_000, 0)
    yield "root", "does not exist", changed("root", -1, 0)
    yield "child", "child of two", changed("child", first, 0, root, 1)
    yield "child", "child of two|parent", changed("child", root, 0, root, 1)
    yield "parent", "parent", changed("parent", 1, 0, root)
    yield "box", "box", changed("box", 99, 0, root, 1, 0)
    yield "box", "number", changed("box", np.nan, 0, root, 1, 0)
    yield "point", "padding", changed("point", 1, 0, 0, -1)
    yield "point", "too large", changed("point", np.inf, 0, 0, 0)
    yield "cut", "wrong side", changed("cut", 99, 0, root)
    yield "dimension", "column", changed("dimension", 2, 0, root)
    yield "mass", "mass", changed("mass", 99, 0, leaf - (state["mass"].shape[1] - 1))
    yield "mass", "in use", changed("mass", 0, 0, leaf - (state["mass"].shape[1] - 1))
    yield "leaf_of", "no leaf", changed("leaf_of", 0, 0, 0)
    yield "free", "not in use", changed("free", root, 0, 0)
    yield "free", "neither", changed("free", -1)
    yield "span", "span", changed("span", 99, 0, root)
    yield "mass", "has to be", state["mass"].astype(np.int64)
    yield "child", "has to be", state["child"][:1]
    yield "columns", "columns", np.array(40, np.int64)
    yield "decay", "decay", np.array(2.0)
    yield "seen", "number", np.array(2.0)
    yield "seen", "stream", np.array(-1)
    yield "seen", "stream", np.array(2**62)


def test_a_damaged_state_is_refused() -> None:
    samples = normal(4, 12, 2).round()  # duplicates, so that some nodes are not in use
    state = Stream.of(build(samples, 3), 48, 9).state()
    assert Stream.resumed(state).seen == 48
    for name, words, array in damages(state):
        with pytest.raises(ValueError, match=words):
            Stream.resumed({**state, name: array})
    with pytest.raises(ValueError, match="span is missing"):
        Stream.resumed({name: array for name, array in state.items() if name != "span"})


def test_points_that_cannot_be_learnt_change_nothing(way: bool) -> None:
    stream = Stream.of(build(normal(4, 12, 2), 3), 48, 9)
    before = [array.tolist() for array in stream.state().values()]
    with pytest.raises(ValueError, match="NaN"):
        stream.follow(np.array([[1, 2], [np.nan, 1]], np.float32))
    with pytest.raises(ValueError, match=r"\(rows, 2\): not \(3, 3\)"):
        stream.follow(normal(3, 3))
    assert [array.tolist() for array in stream.state().values()] == before
    assert stream.follow(np.empty((0, 2), np.float32)).shape == (0,)


def test_points_from_anywhere_are_learnt(way: bool) -> None:
    stream = Stream.of(build(normal(4, 3, 2), 3), 12, 9, decay=1 / 3)  # every point enters every tree
    far = np.array([[np.inf, -np.inf], [3e38, -3e38]], np.float32)
    scores = stream.follow(np.repeat(far, 20, axis=0))
    assert np.isfinite(scores).all()
    assert np.abs(stream.trees.point).max() == FARTHEST
    assert scores[-1] < scores[0]
    require_boxes(stream.trees)


def test_a_change_of_constant_data_scores_no_more_than_the_scale_and_is_learnt(way: bool) -> None:
    """What became a score of 100 elsewhere (random-cut-forest-by-aws, issue 400) is the highest score there is."""
    stream = Stream.of(build(np.full((50, 64, 3), 5, np.float32), 3), 3200, 9)
    constant = float(stream.follow(np.full((1, 3), 5, np.float32))[0])
    changed = np.array([[5, 5, np.nextafter(np.float32(5), np.float32(6))]], np.float32)
    first = float(stream.follow(changed)[0])
    assert constant == pytest.approx(np.log2(65) / np.log2(64))
    assert first == pytest.approx(np.log2(65))
    later = stream.follow(np.repeat(changed, 300, axis=0))
    assert (later <= first).all()
    assert later[-1] < 0.5 * first
    require_boxes(stream.trees)


def test_a_second_spike_is_found_like_the_first(way: bool) -> None:
    """Missed elsewhere (random-cut-forest-by-aws, issue 359): a spike that was learnt once is no common sight yet."""
    random = np.random.default_rng(3)
    usual = np.sin(np.arange(1200) / 8) + random.normal(size=1200) / 20
    usual[[900, 1000]] = 6
    points = usual.astype(np.float32)[:, None]
    samples = points[:800].reshape(50, 16, 1)
    scores = Stream.of(build(samples, 3), 800, 9).follow(points[800:])
    others = np.delete(scores, [100, 200])
    assert scores[100] > others.max()
    assert scores[200] > others.max()


def test_trees_of_a_forest_differ_and_forests_by_the_thousand_go_on_side_by_side() -> None:
    """Thousands of series in one process, and trees that are not the same again (kLabUM/rrcf, issues 59, 62 and 78)."""
    streams = [Stream.of(build(normal(5, 8, 1, seed=number), number), 40, number) for number in range(1000)]
    points = normal(1000, 4, 1, seed=1)
    alone = Stream.of(build(normal(5, 8, 1, seed=500), 500), 40, 500).follow(points[500])
    scores = [stream.follow(series) for stream, series in zip(streams, points, strict=True)]
    assert scores[500].tolist() == alone.tolist()
    assert len({stream.trees.cut.tobytes() for stream in streams}) == 1000
    same = Stream.of(build(np.tile(normal(1, 8, 2), (10, 1, 1)), 4), 80, 4)
    same.follow(normal(50, 2, seed=8))
    assert len({tree.tobytes() for tree in same.trees.cut}) == 10


def test_by_default_a_point_stays_for_ten_times_the_sample() -> None:
    stream = Stream.of(build(normal(4, 12, 2), 3), 48, 9)
    assert stream.decay == default_decay(12) == 1 / 120
