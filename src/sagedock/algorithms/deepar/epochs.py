"""The epochs of a job: the best of them, checkpoints, SIGTERM, early stopping, and what several hosts agree on."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass

from sagedock.algorithm import Context
from sagedock.algorithms.deepar.best import Best
from sagedock.algorithms.deepar.checkpoints import Checkpoints, State
from sagedock.algorithms.deepar.journal import Journal
from sagedock.algorithms.deepar.settings import Settings
from sagedock.algorithms.deepar.trainer import Epoch, Trainer, require_finite

log = logging.getLogger(__name__)


@dataclass
class Epochs:
    """A training of at most as many epochs as the settings say, from the newest checkpoint on where there is one."""

    settings: Settings
    context: Context
    journal: Journal
    checkpoints: Checkpoints | None

    def run(self, trainer: Trainer) -> Best:
        """Train; the best epoch.

        After SIGTERM the epoch at hand counts for nothing, but for the first, before whose end the job is stopped where
        it stands (`Context.something_to_save`). Raises UserError where no epoch's network forecasts in finite numbers.
        """
        best = self._resumed(trainer)
        while len(best.losses) < self.settings.epochs and not best.is_over:
            began = time.time()
            done = trainer.epoch(len(best.losses), self.context, self.journal)
            if self.context.cluster.anyone(done is None):
                log.warning("SIGTERM arrived: training ends after %d epochs", len(best.losses))
                break
            if done is not None:
                self._finish(trainer, best, done, began)
        if best.held_out:
            require_finite(best.held_out[best.epoch])
        self.journal.finished(best)
        return best

    def _finish(self, trainer: Trainer, best: Best, done: Epoch, began: float) -> None:
        cluster = self.context.cluster
        trainer.average_over(cluster, done.examples)
        improved = best.note(self._common(done.loss) or 0.0, self._common(trainer.held_out_loss()))
        if improved:
            best.arrays = trainer.arrays()
        self.context.something_to_save()
        self.journal.epoch(best, improved, done.examples, self.settings.epochs, began)
        if self.checkpoints is not None and cluster.rank == 0:
            self.checkpoints.save(State(best.losses, best.held_out, trainer.state(), best.arrays or {}))
        self.context.progress(len(best.losses), self.settings.epochs)

    def _common(self, loss: float | None) -> float | None:
        """The mean over the hosts that have one, the same on all; None where no host has one."""
        cluster = self.context.cluster
        if len(cluster.hosts) == 1:
            return loss
        told = cluster.gather(json.dumps(loss).encode())
        losses = [each for each in json.loads(cluster.broadcast(b"[" + b",".join(told) + b"]")) if each is not None]
        return float(sum(losses) / len(losses)) if losses else None

    def _resumed(self, trainer: Trainer) -> Best:
        """The epochs of the newest checkpoint, which the first host's decides for all; none without one."""
        best, cluster = Best(self.settings.patience), self.context.cluster
        state = None
        if self.checkpoints is not None and cluster.rank == 0:
            state = self.checkpoints.latest(self.settings.epochs)
        if state is not None:
            trainer.restore(state.trainer)
            best.arrays = dict(state.best)
        told = (state.losses, state.held_out) if state is not None else ([], [])
        best.losses, best.held_out = json.loads(cluster.broadcast(json.dumps(told).encode()))
        trainer.average_over(cluster, float(cluster.rank == 0))
        if best.losses:
            best.arrays = best.arrays or trainer.arrays()
            self.context.something_to_save()
        return best
