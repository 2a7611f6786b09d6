"""The epochs of a training: losses, early stopping, checkpoints, SIGTERM, and the weights of the best epoch."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from sagedock.algorithm import Context
from sagedock.algorithms.ntm.checkpoints import Checkpoints, State
from sagedock.algorithms.ntm.early_stopping import EarlyStopping
from sagedock.algorithms.ntm.journal import Journal
from sagedock.algorithms.ntm.trainer import Loss, Trainer
from sagedock.errors import UserError
from sagedock.topics.documents import Documents

log = logging.getLogger(__name__)

GRACE_SECONDS = 60.0
"""An epoch is finished after SIGTERM when that takes no longer; SageMaker kills the job after 120 seconds."""


@dataclass
class Epochs:
    """A training of at most `count` epochs."""

    count: int
    mini_batch_size: int
    context: Context
    journal: Journal
    stopping: EarlyStopping
    checkpoints: Checkpoints
    validation: Documents | None = None
    training: list[Loss] = field(default_factory=list)
    validations: list[Loss] = field(default_factory=list)
    best: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """The weights of the best epoch."""
    _asked: float | None = field(default=None, init=False)

    @property
    def done(self) -> int:
        """Epochs that were finished."""
        return len(self.training)

    def run(self, trainer: Trainer) -> None:
        """Train, from the newest checkpoint on where there is one, and leave the best epoch's weights in `trainer`.

        After SIGTERM the epoch at hand is finished if it takes less than a minute, and broken off otherwise; no other
        begins. Raises Stopped when it came before the first epoch was finished, and UserError when training diverges.
        """
        self._resume(trainer)
        while self.done < self.count and not self.stopping.is_over:
            if self.done and self.context.cluster.anyone(self.context.should_stop()):
                break
            if not self._epoch(trainer):
                log.warning("SIGTERM arrived: epoch %d is broken off", self.done + 1)
                break
        if self.context.should_stop():
            log.warning("SIGTERM arrived: training ends after %d of %d epochs", self.done, self.count)
        if self.stopping.is_over:
            self.journal.ended_early()
        if self.best:
            trainer.put_weights(self.best)

    def _epoch(self, trainer: Trainer) -> bool:
        """Train one; False when it was broken off."""
        number, begin = self.done + 1, time.time()
        self.journal.started(number)
        loss = trainer.epoch(number, self._is_late)
        if loss is None:
            return False
        trained = time.time()
        require_numbers(loss, trainer)
        self.training.append(loss)
        self.context.something_to_save()
        self.journal.trained(number, loss, self.mini_batch_size)
        judged = self._validated(number, trainer)
        verdict = self.stopping.note(judged.total)
        self.journal.judged(verdict)
        if self.stopping.best_epoch == number:
            self.best = trainer.weights()
        self.journal.finished(number, self.count, loss, begin, trained, time.time())
        self._save(trainer)
        return True

    def _validated(self, number: int, trainer: Trainer) -> Loss:
        """The loss by which the epoch is judged: of the validation channel or, without one, of training."""
        if self.validation is None:
            return self.training[-1]
        loss = trainer.score(self.validation)
        require_numbers(loss, trainer)
        self.validations.append(loss)
        self.journal.scored(loss, self.mini_batch_size, number)
        return loss

    def _resume(self, trainer: Trainer) -> None:
        """Go on from a checkpoint; that of the first host counts on all."""
        cluster = self.context.cluster
        state = self.checkpoints.latest(self.count) if cluster.rank == 0 else None
        content: dict[str, Any] = {"training": [], "validation": [], "bad": 0}
        if state is not None:
            trainer.put_state(state.trainer)
            self.best = dict(state.best)
            content = {"training": state.training, "validation": state.validation, "bad": state.bad}
        content = json.loads(cluster.broadcast(json.dumps(content).encode()))
        if not content["training"]:
            return
        trainer.take_over()
        self.training, self.validations = _losses(content["training"]), _losses(content["validation"])
        self.stopping.losses = [loss.total for loss in (self.validations or self.training)]
        self.stopping.bad = content["bad"]
        self.context.something_to_save()

    def _save(self, trainer: Trainer) -> None:
        if self.context.cluster.rank == 0 and self.checkpoints.kept:
            training, validations = _numbers(self.training), _numbers(self.validations)
            self.checkpoints.save(State(trainer.state(), self.best, training, validations, self.stopping.bad))

    def _is_late(self) -> bool:
        """Whether SIGTERM came so long ago that the epoch cannot be waited for."""
        if not self.context.should_stop():
            return False
        if self._asked is None:
            self._asked = time.monotonic()
        return time.monotonic() - self._asked >= GRACE_SECONDS


def _numbers(losses: Sequence[Loss]) -> list[list[float]]:
    return [[loss.divergence, loss.reconstruction, loss.documents, loss.batches] for loss in losses]


def _losses(numbers: Sequence[Sequence[float]]) -> list[Loss]:
    return [Loss(one[0], one[1], int(one[2]), int(one[3])) for one in numbers]


def require_numbers(loss: Loss, trainer: Trainer) -> None:
    """Raise UserError when training has gone beyond all numbers: such a model is never saved."""
    if not (math.isfinite(loss.total) and trainer.is_finite()):
        raise UserError(
            f"training diverged: the loss is {loss.total}; lower learning_rate, set clip_gradient (to 1, say) or a "
            "rescale_gradient below 1, or leave optimizer at adadelta",
            field="learning_rate",
        )
