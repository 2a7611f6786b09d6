"""The epochs of a training: figures, early stopping, checkpoints, SIGTERM, and the weights of the best epoch."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sagedock.algorithm import Context
from sagedock.algorithms.image_classification.best import Best
from sagedock.algorithms.image_classification.checkpoints import Checkpoints, State
from sagedock.algorithms.image_classification.early_stopping import EarlyStopping
from sagedock.algorithms.image_classification.journal import Journal
from sagedock.algorithms.image_classification.judgement import Judgement
from sagedock.algorithms.image_classification.kept_epochs import KeptEpochs
from sagedock.algorithms.image_classification.report import Epoch
from sagedock.algorithms.image_classification.tally import Tally
from sagedock.algorithms.image_classification.trainer import Trainer

log = logging.getLogger(__name__)

GRACE_SECONDS = 30.0
"""An epoch is finished after SIGTERM when that takes no longer; SageMaker kills the job after 120 seconds."""


@dataclass
class Epochs:
    """A training of at most `count` epochs."""

    count: int
    trainer: Trainer
    context: Context
    journal: Journal
    stopping: EarlyStopping
    checkpoints: Checkpoints
    kept: KeptEpochs
    done: list[Epoch] = field(default_factory=list)
    best: Best = field(init=False)
    diverged: bool = field(default=False, init=False)
    _asked: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.best = Best(self.trainer.weights())

    def run(self) -> Best:
        """Train, from the newest checkpoint on where there is one; the best epoch, whose weights the trainer is left
        with.

        After SIGTERM the epoch at hand is finished if it takes half a minute at most, and broken off otherwise; no
        other begins. A training that diverges ends after that epoch. Raises Stopped when SIGTERM came before the first
        epoch was finished.
        """
        self._resume()
        while len(self.done) < self.count and not self.stopping.is_over and not self.diverged:
            if self.done and self.context.cluster.anyone(self.context.should_stop()):
                break
            if not self._epoch():
                log.warning("SIGTERM arrived: epoch %d is broken off", len(self.done))
                break
        self._tell_end()
        self.trainer.put_weights(self.best.weights)
        return self.best

    @property
    def accuracies(self) -> Sequence[float]:
        """Of the validation channel, by epoch."""
        return [epoch.validation_accuracy for epoch in self.done]

    def _epoch(self) -> bool:
        """Train one; False when it was broken off."""
        number, begin = len(self.done), time.monotonic()
        seen = self.trainer.epoch(number, self.journal, self._is_late)
        if seen is None:
            return False
        seconds = time.monotonic() - begin
        self.journal.trained(number, seen, seconds)
        judgement = self.trainer.judged()
        accuracy = self.trainer.accuracy(judgement)
        improves = self._note(number, judgement, accuracy)
        self.done.append(self._figures(number, seen, accuracy, seconds))
        self.stopping.note(accuracy)
        self.context.something_to_save()
        self.journal.judged(number, self.count, accuracy, best=improves)
        self._save()
        return True

    def _note(self, number: int, judgement: Judgement, accuracy: float) -> bool:
        """Whether the epoch is the best so far; one whose numbers are none any more is not, and is the last."""
        finite = bool(np.isfinite(judgement.probabilities).all()) and self.trainer.is_finite()
        if self.context.cluster.anyone(not finite):
            self.diverged = True
            log.warning(
                "training diverged in epoch %d, whose numbers are not finite any more, and ends; lower learning_rate",
                number,
            )
            return False
        if not self.best.is_beaten_by(accuracy):
            return False
        self.best = Best(self.trainer.weights(), number, accuracy, judgement)
        return True

    def _figures(self, number: int, seen: Tally, accuracy: float, seconds: float) -> Epoch:
        return Epoch(
            loss=seen.mean_loss,
            accuracy=seen.accuracy,
            validation_accuracy=accuracy,
            learning_rate=self.trainer.schedule.at(number),
            seconds=seconds,
            top_k_accuracy=None if self.trainer.top_k is None else seen.top_k_accuracy,
        )

    def _resume(self) -> None:
        """Go on from a checkpoint; that of the first host counts on all."""
        cluster = self.context.cluster
        state = self.checkpoints.latest(self.count) if cluster.rank == 0 else None
        if len(cluster.hosts) > 1:
            content = cluster.broadcast(b"" if state is None else state.packed())
            state = State.unpacked(content) if content and cluster.rank else state
        if state is None:
            return
        self.trainer.learner.restore(state.learner)
        self.best, self.done = state.best, list(state.epochs)
        self.stopping.note(*self.accuracies)
        self.context.something_to_save()

    def _save(self) -> None:
        if self.context.cluster.rank or self.diverged:
            return
        name = self.kept.note(len(self.done), self.trainer.learner.network)
        if name is not None:
            self.journal.saved(name)
        if self.checkpoints.directory is not None:
            self.checkpoints.save(State(self.trainer.learner.state(), self.best, self.done))

    def _is_late(self) -> bool:
        """Whether SIGTERM came so long ago that the epoch cannot be waited for."""
        if not self.context.should_stop():
            return False
        if self._asked is None:
            self._asked = time.monotonic()
        return time.monotonic() - self._asked >= GRACE_SECONDS

    def _tell_end(self) -> None:
        if self.context.should_stop():
            log.warning("SIGTERM arrived: training ends after %d of %d epochs", len(self.done), self.count)
        if self.stopping.is_over:
            self.journal.say(f"Early stopping: {self.stopping.waited} epochs without improvement")
        if self.best.epoch is None:
            log.warning("no epoch left a network of finite numbers: the model is the network as training began with it")
