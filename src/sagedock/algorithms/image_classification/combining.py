"""Requests that wait for the engine at the same time are computed as one batch."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from sagedock.algorithms.image_classification.engine import Pictures, Probabilities, Run

MOST_PICTURES = 16
LARGEST_PICTURE = 3 * 64 * 64
"""Numbers of a picture up to which a batch is computed faster than its pictures one by one (docs/performance.md)."""


class _Waiting:
    """One request; `answer` is there once somebody has computed it."""

    __slots__ = ("answer", "pictures")

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self.answer: Probabilities | None = None


class Combined:
    """An engine for several threads: one computes, and takes the pictures of those that wait along."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._engine = threading.Lock()
        self._waiting: deque[_Waiting] = deque()

    @property
    def waiting(self) -> int:
        """Requests that nobody computes yet."""
        return len(self._waiting)

    def __call__(self, pictures: Pictures) -> Probabilities:
        """The probabilities of `pictures`; raises what the engine raises."""
        mine = _Waiting(pictures)
        self._waiting.append(mine)
        with self._engine:
            while mine.answer is None:  # unless whoever computed before has taken it along
                self._compute(self._taken())
        return mine.answer

    def _taken(self) -> list[_Waiting]:
        taken = [self._waiting.popleft()]
        while self._waiting and len(taken) < MOST_PICTURES:
            taken.append(self._waiting.popleft())
        return taken

    def _compute(self, taken: list[_Waiting]) -> None:
        answers = self._run(np.concatenate([each.pictures for each in taken]) if len(taken) > 1 else taken[0].pictures)
        begin = 0
        for each in taken:
            end = begin + len(each.pictures)
            each.answer = answers[begin:end]
            begin = end
