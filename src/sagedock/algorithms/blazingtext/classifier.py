"""A text classifier: the mean of a text's rows of the input matrix, asked of the output matrix (fastText's model).

Source: Joulin et al., Bag of Tricks for Efficient Text Classification, 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sagedock import core, text_core
from sagedock.algorithms.blazingtext import probabilities
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.probabilities import (
    HIERARCHICAL,
    LOSSES,
    NEGATIVE,
    ONE_VS_ALL,
    SOFTMAX,
    Floats,
    Tree,
)
from sagedock.algorithms.blazingtext.tokenizer import Tokenizer
from sagedock.errors import ModelError

Ids = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class Prediction:
    """The most probable labels of a text, the best first; of two alike the one more often seen in training."""

    labels: Sequence[int]
    """Their numbers."""
    probabilities: Floats
    """(labels,): as fastText tells them, 1e-5 too high."""


@dataclass(frozen=True)
class Classifier:
    """A model that is ready to predict. Its arrays may be memory-mapped; a row that is not used is not read."""

    dictionary: Dictionary
    input: Floats
    """(rows, dim)."""
    output: Floats
    """(labels, dim); with the loss `hs` a row belongs to an inner node of the tree, and the last to none."""
    loss: str = SOFTMAX
    places: NDArray[np.int32] | None = None
    """Where the dictionary's rows stand in `input`, -1 for one that holds zeros; None where each is in its place."""

    def __post_init__(self) -> None:
        """Raises ValueError where the parts do not fit one another, which those of a model file need not."""
        if self.loss not in LOSSES:
            raise ValueError(f"no loss is called {self.loss!r}")
        if self.places is None and len(self.input) != self.dictionary.rows:
            raise ValueError(
                f"{len(self.input)} rows of the input matrix for the {self.dictionary.rows} of the dictionary"
            )
        if self.places is not None and not _fits(self.places, self.dictionary.rows, len(self.input)):
            raise ValueError("a place lies outside the input matrix")
        labels = len(self.dictionary.labels)
        if not labels or len(self.output) != labels or self.output.shape[1:] != self.input.shape[1:]:
            raise ValueError(f"an output matrix of {self.output.shape} for {labels} labels and {self.input.shape}")
        if not np.isfinite(self.output).all():
            raise ValueError("the output matrix holds what is no finite number")
        _ = self.tree

    @cached_property
    def tree(self) -> Tree | None:
        """What hierarchical softmax asks; None for other losses."""
        counts = self.dictionary.counts[len(self.dictionary.words) :].tolist()
        return Tree.of(counts) if self.loss == HIERARCHICAL else None

    def predict(self, texts: Sequence[bytes], k: int | Sequence[int] = 1, threshold: float = 0.0) -> list[Prediction]:
        """The `k` best labels of each text, those below `threshold` left out; line feeds in a text count as spaces.

        Raises ModelError when the model holds what is no number.
        """
        wanted = [k] * len(texts) if isinstance(k, int) else k
        if self.native is None:
            scores = (self.probabilities(self.dictionary.line_rows(text)) for text in texts)
            return [_best(found, most, threshold) for found, most in zip(scores, wanted, strict=True)]
        labels, found, starts = _finite(self.native.predict(texts, wanted, threshold))
        return [Prediction(labels[begin:end].tolist(), found[begin:end]) for begin, end in pairwise(starts.tolist())]

    def predict_examples(self, examples: Examples, threads: int = 1) -> tuple[NDArray[np.int32], Floats]:
        """The best label of each text in numbers, which have to be those of this dictionary, and its probability."""
        if self.native is not None:
            return _finite(self.native.predict_rows(examples.rows, examples.starts, examples.seen, threads))
        rows = (examples.seen[examples.rows[begin:end]] for begin, end in pairwise(examples.starts))
        found = [_best(self.probabilities(each), 1, 0.0) for each in rows]
        labels = np.fromiter((each.labels[0] for each in found), np.int32, len(found))
        return labels, np.fromiter((each.probabilities[0] for each in found), np.float32, len(found))

    @cached_property
    def native(self) -> text_core.Classifier | None:
        """The same in the compiled core, where there is one and it can read the matrices."""
        return self.compiled()

    def compiled(
        self, labels: Sequence[bytes] | None = None, tokenizer: Tokenizer | None = None
    ) -> text_core.Classifier | None:
        """A classifier in the core whose answers to requests name `labels`, as JSON, and whose texts are rewritten.

        None without the core, and for matrices that are no arrays in memory.
        """
        if core.native is None or self.dictionary.native is None or not _is_plain(self.input):
            return None
        left, right = ([], []) if self.tree is None else (self.tree.left.tolist(), self.tree.right.tolist())
        table = _TABLE.tolist() if self.loss in {NEGATIVE, ONE_VS_ALL} else []
        names = [b'""'] * len(self.output) if labels is None else labels
        return core.native.Classifier(
            self.dictionary.native,
            self.input,
            self.output if _is_plain(self.output) else np.ascontiguousarray(self.output, np.float32),
            loss=self.loss,
            places=self.places,
            left=left,
            right=right,
            table=table,
            labels=names,
            tokenizer=tokenizer.native if tokenizer else None,
        )

    def hidden(self, rows: Sequence[int] | Ids) -> Floats:
        """The mean of some rows (dim,); zeros for none."""
        places = np.asarray(rows, np.int64) if self.places is None else self.places[np.asarray(rows, np.int64)]
        found = self.input[places[places >= 0]]
        total = np.add.accumulate(found, axis=0)[-1] if len(found) else np.zeros(self.input.shape[1], np.float32)
        return total * np.float32(1.0 / max(len(places), 1))

    def probabilities(self, rows: Sequence[int] | Ids) -> Floats:
        """The probability of each label (labels,) for a text of these rows, as fastText tells it."""
        with np.errstate(invalid="ignore", over="ignore"):
            scores = probabilities.dots(self.output, self.hidden(rows))
        scores = _finite(scores if np.isfinite(scores).all() else None)
        if self.tree is not None:
            return self.tree.probabilities(scores).astype(np.float32)
        if self.loss == SOFTMAX:
            return probabilities.answered(probabilities.softmax(scores))
        return probabilities.answered(probabilities.tabled_sigmoid(scores, _TABLE))


_TABLE = probabilities.sigmoid_table()
_T = TypeVar("_T")


def _finite(found: _T | None) -> _T:
    if found is None:
        raise ModelError("the model holds numbers that are not finite: train it again with a lower learning rate")
    return found


def _is_plain(matrix: Floats) -> bool:
    return isinstance(matrix, np.ndarray) and matrix.dtype == np.float32 and matrix.strides[1] == matrix.itemsize


def _fits(places: Ids, rows: int, held: int) -> bool:
    return len(places) == rows and (not rows or (int(places.min()) >= -1 and int(places.max()) < held))


def _best(found: Floats, k: int, threshold: float) -> Prediction:
    order = np.argsort(-found, kind="stable")[:k]
    if threshold > 0:
        order = order[found[order] >= probabilities.answered(np.array([threshold]))[0]]
    return Prediction(order.tolist(), found[order])
