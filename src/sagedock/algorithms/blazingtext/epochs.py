"""The epochs of one training, whatever is trained: progress, checkpoints, SIGTERM and an early end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithm import Context
from sagedock.algorithms.blazingtext.checkpoints import Checkpoints, State
from sagedock.algorithms.blazingtext.hosts import take_over
from sagedock.algorithms.blazingtext.throughput import Progress, Throughput
from sagedock.algorithms.blazingtext.weights import Trainer, Weights
from sagedock.errors import UserError

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 1 << 16
GRACE_SECONDS = 60.0
"""An epoch is finished after SIGTERM when that takes no longer; SageMaker kills the job after 120 seconds."""


class EpochTrainer(Trainer, Protocol):
    """Whoever trains a model, an epoch at a time."""

    def epoch(self, number: int, watch: Callable[[Any], bool] | None = None) -> bool:
        """Train epoch `number`, counted from 0; False when `watch`, which is told of the progress, ended it early."""


class Judge(Protocol):
    """What is made of each epoch beside its weights."""

    def resume(self, state: State) -> bool:
        """Go on from here; whether training had come to its end."""

    def judge(self, epoch: int) -> bool:
        """Look at the weights after an epoch, counted from 1; whether training is to end with it."""

    @property
    def history(self) -> Mapping[str, Any]:
        """What `resume` needs, as JSON values."""

    @property
    def best(self) -> Weights | None:
        """The weights of the best epoch, where that is not the last."""


@dataclass
class Epochs:
    """A training of `count` epochs."""

    count: int
    context: Context
    throughput: Throughput
    checkpoints: Checkpoints | None = None
    done: int = 0
    """Epochs that were finished."""
    _asked: float | None = field(default=None, init=False)

    def run(self, trainer: EpochTrainer, judge: Judge) -> None:
        """Train, from the newest checkpoint on where there is one.

        After SIGTERM the epoch at hand is finished if it takes less than a minute, and broken off otherwise; no other
        begins. Raises Stopped when it came before the first epoch was finished, and UserError when training diverges.
        """
        over = self._resumed(trainer, judge)
        while not over and self.done < self.count:
            if self.done and self.context.cluster.anyone(self.context.should_stop()):
                break
            if not trainer.epoch(self.done, self._watch):
                log.warning("SIGTERM arrived: epoch %d is broken off", self.done + 1)
                break
            require_numbers(trainer.output)
            self.done += 1
            self.context.something_to_save()
            over = judge.judge(self.done)
            self._save(trainer, judge)
            self.context.progress(self.done, self.count)
        require_numbers(trainer.input)
        if self.context.should_stop():
            log.warning("SIGTERM arrived: training ends after %d of %d epochs", self.done, self.count)

    def _resumed(self, trainer: EpochTrainer, judge: Judge) -> bool:
        """Whether a checkpoint was taken up that leaves nothing to train; the first host's counts on all."""
        cluster, first = self.context.cluster, self.context.cluster.rank == 0
        state = self.checkpoints.latest(self.count) if first and self.checkpoints is not None else None
        self.done = int(cluster.broadcast(str(state.epoch if state else 0).encode()))
        if not self.done:
            return False
        if state is not None:
            Weights.of(trainer).put(state.weights)
        take_over(Weights.of(trainer), cluster)
        self.context.something_to_save()
        return state is not None and judge.resume(state)

    def _save(self, trainer: EpochTrainer, judge: Judge) -> None:
        if self.checkpoints is not None and self.context.cluster.rank == 0:
            self.checkpoints.save(State(self.done, Weights.of(trainer), judge.history, judge.best))

    def _watch(self, progress: Progress) -> bool:
        """Whether to go on; what several hosts make of it is the trainer's to agree upon."""
        self.throughput.note(progress)
        return not self._is_late()

    def _is_late(self) -> bool:
        """Whether SIGTERM came so long ago that the epoch cannot be waited for."""
        if not self.context.should_stop():
            return False
        if self._asked is None:
            self._asked = time.monotonic()
        return time.monotonic() - self._asked >= GRACE_SECONDS


def require_numbers(matrix: NDArray[np.float32]) -> None:
    """Raise UserError for a matrix that has grown beyond all bounds."""
    for begin in range(0, len(matrix), _ROWS_AT_ONCE):
        if not np.isfinite(matrix[begin : begin + _ROWS_AT_ONCE]).all():
            raise UserError(
                "training diverged: the vectors hold what are no finite numbers any more; lower learning_rate, or "
                "give more text",
                field="learning_rate",
            )
