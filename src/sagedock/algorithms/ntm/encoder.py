"""From the counts of a document to its mixture of topics, as serving has it: without torch, in NumPy or compiled.

Sums are in double precision and the answer is rounded to single at the end, so that it does not depend on who sums, in
which order, and beside which other documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.ntm.hyperparameters import RELU, SIGMOID, SOFTPLUS, TANH
from sagedock.topic_core import TopicEncoder
from sagedock.topics.documents import Documents

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def _sigmoid(values: Doubles) -> Doubles:
    found: Doubles = 1.0 / (1.0 + np.exp(-np.maximum(values, -700.0)))
    return found


def _softplus(values: Doubles) -> Doubles:
    found: Doubles = np.maximum(values, 0.0) + np.log1p(np.exp(-np.abs(values)))
    return found


ACTIVATIONS: Mapping[str, Callable[[Doubles], Doubles]] = {
    SIGMOID: _sigmoid,
    TANH: np.tanh,
    RELU: lambda values: np.maximum(values, 0.0),
    SOFTPLUS: _softplus,
}


@dataclass(frozen=True)
class Encoder:
    """Layers x W + b, all but the last followed by the activation; the softmax of the last is the mixture.

    `weights[i]` is (inputs, outputs), the first having a row a word and the last a column a topic; `biases[i]`
    (outputs,). What stands for a count is log(1 + count). Batch normalisation is folded into the layers.
    """

    weights: Sequence[Floats]
    biases: Sequence[Floats]
    activation: str

    @property
    def topics(self) -> int:
        """How many there are."""
        return int(self.weights[-1].shape[1])

    @property
    def memory_bytes(self) -> int:
        """What the layers take."""
        return sum(array.nbytes for array in (*self.weights, *self.biases))

    def mixtures(self, documents: Documents) -> Floats:
        """(documents, topics) shares, 1 together; a document's do not depend on the others."""
        if core.native is not None:
            return self._compiled.mixtures(documents.starts, documents.words, documents.counts)
        found = np.empty((documents.rows, self.topics), np.float32)
        for row, (begin, end) in enumerate(zip(documents.starts[:-1], documents.starts[1:], strict=True)):
            found[row] = self._mixture(documents.words[begin:end], documents.counts[begin:end])
        return found

    @cached_property
    def _compiled(self) -> TopicEncoder:
        native = cast("core.Native", core.native)
        return native.TopicEncoder(list(self.weights), list(self.biases), self.activation)

    def _mixture(self, words: NDArray[np.int32], counts: Floats) -> Doubles:
        activate = ACTIVATIONS[self.activation]
        rows = self.weights[0][words].astype(np.float64)
        hidden = np.log1p(counts.astype(np.float64)) @ rows + self.biases[0]
        for weights, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            hidden = activate(hidden) @ weights.astype(np.float64) + bias
        shares = np.exp(hidden - hidden.max())
        found: Doubles = shares / shares.sum()
        return found
