"""Random cut trees whose points are replaced one by one: insertion and deletion of Guha et al. (ICML 2016, section 2).

Each tree stands over the points of one reservoir. Taking a point out puts its leaf's sibling in their parent's place.
Letting one in draws, at each node that it sticks out of, a cut of the box that holds both: a cut between the two parts
them there, any other leaves the node's own cut, and the point goes on to that side. Either way the tree is distributed
as one built afresh over the points that it then holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.randomcutforest.forest import (
    LANES,
    Forest,
    choose_cut,
    lengths_outside,
    sum_of_lanes,
)
from sagedock.algorithms.randomcutforest.trees import Floats

Integers = NDArray[np.int32]

NONE = -1
ARRAYS = ("dimension", "cut", "child", "box", "span", "point", "mass", "parent", "root", "leaf_of", "free")


@dataclass(frozen=True, eq=False)
class ReservoirTrees:
    """Trees over as many points each, changed in place: (trees, ...) arrays with a row for each.

    Of a tree over `samples` points, nodes 0 to samples - 2 are cuts and the next `samples` are leaves. Those not in use
    are chained through `parent`. Coordinates are padded with zeros to a `width` of whole LANES.
    """

    columns: int
    dimension: Integers
    """(trees, cuts) the column in which a node cuts."""
    cut: Floats
    """(trees, cuts) up to this value points go to the first child."""
    child: Integers
    """(trees, cuts, 2) nodes."""
    box: Floats
    """(trees, cuts, 2, width) the lowest and highest coordinates of a node's points."""
    span: Floats
    """(trees, cuts) the sum of the box's sides."""
    point: Floats
    """(trees, samples, width) of each leaf."""
    mass: Integers
    """(trees, samples) how many samples a leaf holds, 0 when it is not in use."""
    parent: Integers
    """(trees, nodes) NONE at a root; of a node not in use the next such node, NONE at the last."""
    root: Integers
    """(trees,)"""
    leaf_of: Integers
    """(trees, samples) the node that holds each sample."""
    free: Integers
    """(trees, 2) the first cut and the first leaf not in use."""

    @classmethod
    def of(cls, forest: Forest) -> ReservoirTrees:
        """The trees of a forest."""
        trees, samples = forest.trees, forest.samples_per_tree
        width = -(-forest.columns // LANES) * LANES
        cuts = samples - 1
        made = cls(
            columns=forest.columns,
            dimension=np.zeros((trees, cuts), np.int32),
            cut=np.zeros((trees, cuts), np.float32),
            child=np.full((trees, cuts, 2), NONE, np.int32),
            box=np.zeros((trees, cuts, 2, width), np.float32),
            span=np.zeros((trees, cuts), np.float32),
            point=np.zeros((trees, samples, width), np.float32),
            mass=np.zeros((trees, samples), np.int32),
            parent=np.full((trees, cuts + samples), NONE, np.int32),
            root=np.where(forest.node_counts > 1, 0, cuts).astype(np.int32),
            leaf_of=np.zeros((trees, samples), np.int32),
            free=np.full((trees, 2), NONE, np.int32),
        )
        made._copy(forest)
        made._chain(forest.node_counts // 2 + 1)
        return made

    @property
    def trees(self) -> int:
        return len(self.root)

    @property
    def samples(self) -> int:
        return int(self.mass.shape[1])

    @property
    def width(self) -> int:
        return int(self.point.shape[2])

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ARRAYS}

    @cached_property
    def bits(self) -> NDArray[np.float64]:
        """log2 of each mass that a leaf can have, 0 for 0."""
        return np.array([0.0, *map(math.log2, range(1, self.samples + 1))])

    def take_out(self, tree: int, slot: int) -> None:
        """Forget a sample; its slot means nothing until another is let in."""
        leaf = int(self.leaf_of[tree, slot])
        number = leaf - self._first_leaf
        self.mass[tree, number] -= 1
        if self.mass[tree, number] > 0:
            return
        above = int(self.parent[tree, leaf])
        self._release(tree, leaf)
        if above == NONE:
            self.root[tree] = NONE
            return
        first, second = self.child[tree, above]
        over = int(self.parent[tree, above])
        self._put(tree, second if first == leaf else first, over, above)
        self._release(tree, above)
        self._shrink(tree, over)

    def let_in(self, tree: int, slot: int, point: Floats, draws: NDArray[np.float64]) -> None:
        """Hold `point` (width,) in an empty slot. Of `draws` each node on its way may take one."""
        node, draw = int(self.root[tree]), iter(draws)
        while node != NONE:
            low, high = self._box(tree, node)
            lower, higher = np.minimum(low, point), np.maximum(high, point)
            if (lower < low).any() or (higher > high).any():
                column, value = choose_cut(lower, higher, next(draw))
                on_left = point[column] <= value < low[column]
                if on_left or high[column] <= value < point[column]:
                    self._part(tree, node, (column, value, lower, higher), self._new_leaf(tree, slot, point), on_left)
                    return
                self._bound(tree, node, lower, higher)
            elif node >= self._first_leaf:
                self.mass[tree, node - self._first_leaf] += 1
                self.leaf_of[tree, slot] = node
                return
            node = int(self.child[tree, node, int(point[self.dimension[tree, node]] > self.cut[tree, node])])
        self.root[tree] = self._new_leaf(tree, slot, point)

    def climb(self, point: Floats, shares: Floats | None = None) -> Floats:
        """The score of a point (width,) on each tree (trees,), as `Forest.scores` adds them up.

        What each column adds to them is written to `shares` (trees, width), if given.
        """
        tree, leaf, level = np.arange(self.trees), *self._descend(point)
        number = leaf - self._first_leaf
        apart = lengths_outside(self.point[tree, number], self.point[tree, number], point)
        outside = sum_of_lanes(apart)
        unseen = outside > 0
        depth = level + self.bits[self.mass[tree, number]]
        depth[depth == 0] = 1
        score = np.where(unseen, np.float32(1) / (level + 1).astype(np.float32), (1 / depth).astype(np.float32))
        if shares is not None:
            apart = np.where(unseen[:, None], apart, self._apart_beside(leaf, point))
            total = np.where(unseen, outside, sum_of_lanes(apart))
            shares[:] = apart / total[:, None] * score[:, None]
        tree = tree[unseen]
        node, level = self.parent[tree, leaf[unseen]], level[unseen] - 1
        while len(tree):
            tree, node, level = tree[node >= 0], node[node >= 0], level[node >= 0]
            apart = lengths_outside(self.box[tree, node, 0], self.box[tree, node, 1], point)
            outside = sum_of_lanes(apart)
            out = outside > 0
            tree, node, level, span = tree[out], node[out], level[out], self.span[tree, node][out]
            whole, here = span + outside[out], np.float32(1) / (level + 1).astype(np.float32)
            kept = span / whole
            score[tree] = here + kept * (score[tree] - here)
            if shares is not None:
                shares[tree] = apart[out] / whole[:, None] * here[:, None] + kept[:, None] * shares[tree]
            node, level = self.parent[tree, node], level - 1
        return score

    @property
    def _first_leaf(self) -> int:
        return self.samples - 1

    def _copy(self, forest: Forest) -> None:
        """Take over a forest's nodes, those of each tree in its order."""
        tree, is_leaf, first = np.repeat(np.arange(self.trees), forest.node_counts), forest.dimension < 0, forest.first
        rank = np.where(is_leaf, np.cumsum(is_leaf), np.cumsum(~is_leaf)) - 1
        begin = np.stack([first[:-1] - np.arange(self.trees), first[:-1] + np.arange(self.trees)]) // 2
        number = rank - begin[is_leaf.astype(int), tree]
        node = number + is_leaf * self._first_leaf
        above, side = _places(forest.dimension)
        below = above != NONE
        self.parent[tree, node] = np.where(below, node[above], NONE)
        self.child[tree[below], node[above[below]], side[below]] = node[below]
        cutting = tree[~is_leaf], node[~is_leaf]
        self.dimension[cutting] = forest.dimension[~is_leaf]
        self.cut[cutting] = forest.cut
        self.box[(*cutting, slice(None), slice(self.columns))] = forest.box
        sides = self.box[:, :, 1] - self.box[:, :, 0]
        self.span[:] = sum_of_lanes(sides.reshape(-1, self.width)).reshape(self.span.shape)
        held = tree[is_leaf], number[is_leaf]
        self.point[(*held, slice(self.columns))] = forest.point
        self.mass[held] = forest.mass
        self.leaf_of[:] = np.repeat(node[is_leaf], forest.mass).reshape(self.leaf_of.shape)

    def _chain(self, leaves: NDArray[np.int64]) -> None:
        """Chain the nodes behind the first `leaves` leaves and the cuts between them: those not in use."""
        nodes = np.arange(2 * self.samples - 1)
        ends = np.stack([leaves - 1, leaves + self._first_leaf], axis=1)
        unused = np.where(nodes < self._first_leaf, nodes >= ends[:, :1], nodes >= ends[:, 1:])
        following = np.where(np.isin(nodes, [self._first_leaf - 1, 2 * self._first_leaf]), NONE, nodes + 1)
        self.parent[unused] = np.broadcast_to(following, unused.shape)[unused]
        self.free[:] = np.where(ends < [self._first_leaf, 2 * self.samples - 1], ends, NONE)

    def _descend(self, point: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(trees,) the leaf at which the point arrives, and its level."""
        node, level = self.root.astype(np.intp), np.zeros(self.trees, np.intp)
        while len(moving := np.flatnonzero(node < self._first_leaf)):
            at = node[moving]
            right = point[self.dimension[moving, at]] > self.cut[moving, at]
            node[moving] = self.child[moving, at, right.astype(np.intp)]
            level[moving] += 1
        return node, level

    def _apart_beside(self, leaf: NDArray[np.intp], point: Floats) -> Floats:
        """(trees, width) how far the point lies outside the box beside each leaf; all 1 where there is none."""
        apart = np.zeros((self.trees, self.width), np.float32)
        apart[:, : self.columns] = 1
        for tree in np.flatnonzero(self.parent[np.arange(self.trees), leaf] != NONE).tolist():
            first, second = self.child[tree, self.parent[tree, leaf[tree]]]
            apart[tree] = lengths_outside(*self._box(tree, int(second if first == leaf[tree] else first)), point)
        return apart

    def _box(self, tree: int, node: int) -> tuple[Floats, Floats]:
        if node < self._first_leaf:
            return self.box[tree, node, 0], self.box[tree, node, 1]
        point = self.point[tree, node - self._first_leaf]
        return point, point

    def _bound(self, tree: int, node: int, low: Floats, high: Floats) -> None:
        self.box[tree, node] = low, high
        self.span[tree, node] = sum_of_lanes((high - low)[None])[0]

    def _shrink(self, tree: int, node: int) -> None:
        """Draw the boxes from `node` up to the root around their children, as far as anything changes."""
        while node != NONE:
            (a, b), (c, d) = (self._box(tree, int(child)) for child in self.child[tree, node])
            low, high = np.minimum(a, c), np.maximum(b, d)
            if (low == self.box[tree, node, 0]).all() and (high == self.box[tree, node, 1]).all():
                return
            self._bound(tree, node, low, high)
            node = int(self.parent[tree, node])

    def _part(self, tree: int, node: int, how: tuple[int, np.float32, Floats, Floats], leaf: int, first: bool) -> None:
        """A new cut in the place of `node`, between it and `leaf`, which is the first child or the second."""
        column, value, low, high = how
        made = self._acquire(tree, 0)
        self._put(tree, made, int(self.parent[tree, node]), node)
        self.dimension[tree, made], self.cut[tree, made] = column, value
        self._bound(tree, made, low, high)
        self.child[tree, made] = (leaf, node) if first else (node, leaf)
        self.parent[tree, leaf] = self.parent[tree, node] = made

    def _put(self, tree: int, node: int, over: int, instead: int) -> None:
        """`node` below `over`, NONE above a root, in the place of another."""
        self.parent[tree, node] = over
        if over == NONE:
            self.root[tree] = node
        else:
            self.child[tree, over, int(self.child[tree, over, 1] == instead)] = node

    def _new_leaf(self, tree: int, slot: int, point: Floats) -> int:
        leaf = self._acquire(tree, 1)
        self.point[tree, leaf - self._first_leaf] = point
        self.mass[tree, leaf - self._first_leaf] = 1
        self.leaf_of[tree, slot] = leaf
        self.parent[tree, leaf] = NONE
        return leaf

    def _acquire(self, tree: int, kind: int) -> int:
        node = int(self.free[tree, kind])
        self.free[tree, kind] = self.parent[tree, node]
        return node

    def _release(self, tree: int, node: int) -> None:
        kind = int(node >= self._first_leaf)
        self.parent[tree, node] = self.free[tree, kind]
        self.free[tree, kind] = node


def _places(dimension: Integers) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(nodes,) the parent of each node of trees in preorder, NONE of a root, and whether it is its second child."""
    place = np.empty(len(dimension), np.intp)
    waiting: list[int] = []
    for node, column in enumerate(dimension.tolist()):
        place[node] = waiting.pop() if waiting else 2 * NONE
        if column >= 0:
            waiting += [2 * node + 1, 2 * node]
    return place >> 1, place & 1
