"""How many decisions were right: exact counts over the pictures that were seen, each once (specification, 8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithm import Cluster

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Tally:
    """Counts; a picture is one decision or, when multi-label, one a class. `loss` is summed over pictures."""

    right: int = 0
    decisions: int = 0
    among_first: int = 0
    """Pictures whose class is among the first k."""
    pictures: int = 0
    loss: float = 0.0

    @classmethod
    def of(cls, scores: Floats, labels: NDArray[Any], *, top_k: int | None = None, loss: float = 0.0) -> Tally:
        """Of a batch: scores (n, classes), of which the highest is told or, for labels of 0 and 1 of the same shape,
        each above 0; scores that are no numbers are wrong. `loss` is its mean.
        """
        among = 0
        if labels.ndim == 2:
            right = int(((scores > 0) == (labels > 0.5))[np.isfinite(scores)].sum())
        else:
            numbers = np.isfinite(scores).all(axis=1)
            right = int((scores.argmax(axis=1) == labels)[numbers].sum())
            if top_k is not None:
                own = np.take_along_axis(scores, labels[:, None], axis=1)
                among = int(((scores > own).sum(axis=1) < top_k)[numbers].sum())
        return cls(right, labels.size, among, len(labels), loss * len(labels))

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.right + other.right,
            self.decisions + other.decisions,
            self.among_first + other.among_first,
            self.pictures + other.pictures,
            self.loss + other.loss,
        )

    def over(self, cluster: Cluster) -> Tally:
        """That of all hosts together, the same on each."""
        if len(cluster.hosts) == 1:
            return self
        mine = np.array([self.right, self.decisions, self.among_first, self.pictures, self.loss], np.float64)
        parts = [np.frombuffer(part) for part in cluster.gather(mine.tobytes())]
        whole = np.sum(parts, axis=0, dtype=np.float64) if parts else np.zeros(5)
        right, decisions, among, pictures, loss = np.frombuffer(cluster.broadcast(whole.tobytes())).tolist()
        return Tally(int(right), int(decisions), int(among), int(pictures), loss)

    @property
    def accuracy(self) -> float:
        """Share of the decisions that were right."""
        return self.right / max(self.decisions, 1)

    @property
    def top_k_accuracy(self) -> float:
        """Share of the pictures whose class was among the first k."""
        return self.among_first / max(self.pictures, 1)

    @property
    def mean_loss(self) -> float:
        """A picture's."""
        return self.loss / max(self.pictures, 1)
