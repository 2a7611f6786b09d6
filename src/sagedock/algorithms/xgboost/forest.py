"""Trees answered by the compiled core: no training library in the process, microseconds a row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.xgboost.model_file import ModelFile
from sagedock.algorithms.xgboost.objectives import LINKS
from sagedock.core import Native

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from sagedock.core import Forest


IN_LINE_SECONDS = 0.005
"""Other requests of the worker, /ping among them, may wait for one answer so long."""
SECONDS_A_TREE = 40e-9
"""What a record takes in a tree of ten levels, measured; shallow trees take a quarter."""


@dataclass(frozen=True, slots=True)
class ForestBooster:
    """The trees of one file; `file` is where they came from, for `artefact`."""

    forest: Forest
    file: Path
    in_line_bytes: int

    @property
    def memory_bytes(self) -> int:
        return self.forest.memory_bytes

    def answer_csv(self, body: bytes) -> bytes | None:
        """The answer to plain CSV records, as text; None for anything unusual."""
        return self.forest.answer_csv(body)

    def scores(self, features: NDArray[np.float32] | csr_matrix) -> NDArray[np.float32]:
        """The objective's own prediction per row, (rows,) or (rows, classes), as XGBoost's predictor gives it."""
        if isinstance(features, np.ndarray):
            return self.forest.predict(np.ascontiguousarray(features, np.float32))
        parts: Any = features
        return self.forest.predict_sparse(
            parts.indptr.astype(np.int64, copy=False),
            parts.indices.astype(np.int32, copy=False),
            parts.data.astype(np.float32, copy=False),
        )

    def artefact(self) -> bytes:
        """The model file's content; raises OSError when it has gone."""
        return self.file.read_bytes()


def in_line_bytes(columns: int, trees: int) -> int:
    """The longest body that so many trees answer within IN_LINE_SECONDS: a record takes a byte a column at least."""
    return int(IN_LINE_SECONDS / SECONDS_A_TREE * columns) // max(1, trees)


def compiled(native: Native, found: ModelFile, file: Path, deepest_asked: int = -1) -> ForestBooster:
    """The booster for a file whose `beyond` is None; `deepest_asked` as in `Native.Forest`."""
    trees, link = found.trees, LINKS[found.learner.objective]
    forest = native.Forest(
        first=trees.first,
        left=trees.left,
        right=trees.right,
        feature=trees.feature,
        threshold=trees.threshold,
        default_left=trees.default_left,
        output=trees.output,
        columns=found.learner.feature_count,
        base=found.base_scores,
        base_link=link.base,
        link=link.answer,
        deepest_asked=deepest_asked,
    )
    return ForestBooster(forest, file, in_line_bytes(found.learner.feature_count, len(trees.output)))
