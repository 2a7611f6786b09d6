"""Scores by a GPU, through torch: those of `Forest.scores` to within 1e-5, in another order of sums (rcf 8).

Every pair of a point and a tree goes its way at once, level by level. Only training has use for it: a serving process
never imports torch.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from sagedock.algorithms.randomcutforest.forest import FARTHEST, Forest
from sagedock.algorithms.randomcutforest.trees import Floats

_BLOCK = 1 << 26  # coordinates of boxes that are looked at together, which bounds the memory of the device


class CudaForest:
    """A forest on a device of torch's; `device` is a name such as cuda, or cpu."""

    def __init__(self, forest: Forest, device: str = "cuda") -> None:
        self.forest = forest
        self.device = device

    def scores(self, points: Floats, threads: int = 1) -> Floats:
        """(rows,) of points (rows, columns); raises ValueError for another width and for NaN."""
        points = np.ascontiguousarray(points, np.float32)
        if points.ndim != 2 or points.shape[1] != self.forest.columns:
            raise ValueError(f"points are (rows, {self.forest.columns}): not {points.shape}")
        if np.isnan(points).any():
            raise ValueError("a point holds NaN")
        rows = max(1, _BLOCK // (self.forest.trees * self.forest.columns))
        blocks = [self._scores(points[begin : begin + rows]) for begin in range(0, len(points), rows)]
        return np.concatenate(blocks) if blocks else np.empty(0, np.float32)

    @cached_property
    def _tables(self) -> dict[str, Any]:
        """The forest's arrays as tensors; `level` counts from 0."""
        import torch

        forest = self.forest
        cut, box, point = forest.lengths
        arrays = {
            "cutting": forest.dimension >= 0,
            "column": np.maximum(forest.dimension, 0).astype(np.int64),
            "cut": cut if len(cut) else np.zeros(1, np.float32),
            "box": box if len(box) else np.zeros((1, 2, forest.columns), np.float32),
            "span": forest.span if len(box) else np.zeros(1, np.float32),
            "point": point,
            "seen": forest.seen,
            "share": forest.share[forest.level],
            **{name: getattr(forest, name) for name in ("rank", "right", "level", "parent")},
            "root": forest.first[:-1],
        }
        return {name: torch.tensor(array, device=self.device) for name, array in arrays.items()}

    def _scores(self, points: Floats) -> Floats:
        import torch

        with torch.inference_mode():
            given = torch.tensor(points, device=self.device) / float(self.forest.unit)
            held = given.clamp(-float(FARTHEST), float(FARTHEST))
            scores = self._climbed(held, self._leaves(held))
            sums = scores.double().sum(1).cpu().numpy()
        return self.forest.of_sums(sums)

    def _leaves(self, points: Any) -> Any:
        """(rows, trees) the leaf at which each point arrives in each tree."""
        import torch

        tables = self._tables
        node = tables["root"].expand(len(points), -1)
        for _ in range(int(self.forest.depths.max()) - 1):
            cutting = tables["cutting"][node]
            cut = tables["cut"][torch.where(cutting, tables["rank"][node], 0)]
            left = points.gather(1, tables["column"][node]) <= cut
            node = torch.where(cutting, torch.where(left, node + 1, tables["right"][node]), node)
        return node

    def _climbed(self, points: Any, leaf: Any) -> Any:
        """(rows, trees) the scores of points from their leaves."""
        import torch

        tables = self._tables
        rank = tables["rank"][leaf]
        row, tree = ((points[:, None] - tables["point"][rank]).abs().amax(2) > 0).nonzero(as_tuple=True)
        score = tables["seen"][rank]
        score[row, tree] = tables["share"][leaf[row, tree]]
        node = tables["parent"][leaf[row, tree]]
        while len(row):
            row, tree, node = (part[node >= 0] for part in (row, tree, node))
            outside, span = self._outside(points[row], tables["rank"][node])
            row, tree, node, outside, span = (part[outside > 0] for part in (row, tree, node, outside, span))
            here = tables["share"][node]
            score[row, tree] = torch.lerp(here, score[row, tree], span / (span + outside))
            node = tables["parent"][node]
        return score

    def _outside(self, points: Any, rank: Any) -> tuple[Any, Any]:
        """How far points lie outside of boxes, and the spans of these."""
        box = self._tables["box"][rank]
        within = points.maximum(box[:, 0]).minimum(box[:, 1])
        return (points - within).abs().sum(1), self._tables["span"][rank]
