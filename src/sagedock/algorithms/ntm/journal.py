"""What a job tells its log, in the words of the built-in algorithm, which people search for (ntm_lda A5)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagedock import metric_lines
from sagedock.algorithm import Context
from sagedock.algorithms.ntm import artefact
from sagedock.algorithms.ntm.early_stopping import Verdict
from sagedock.algorithms.ntm.hyperparameters import LOSS
from sagedock.algorithms.ntm.trainer import Loss
from sagedock.topics.summary import Summary

ALGORITHM = "AWS/NTM"


@dataclass
class Journal:
    """The log lines of one host."""

    context: Context

    @property
    def host(self) -> str:
        return self.context.cluster.hosts[self.context.cluster.rank]

    def say(self, text: str) -> None:
        """One line of text behind the time."""
        self.context.emit(metric_lines.prefixed(text))

    def configuration(self, default: Mapping[str, Any], given: Mapping[str, str], final: Mapping[str, Any]) -> None:
        """What the job is asked for."""
        self.say(f"Reading default configuration: {json.dumps(default)}")
        self.say(f"Merging with provided configuration: {json.dumps(given)}")
        self.say(f"Final configuration: {json.dumps(final)}")
        gpus = int(self.context.device == "gpu")
        self.say(f"Number of GPUs being used: {gpus}")

    def started(self, epoch: int) -> None:
        self.say(f"# Starting training for epoch {epoch}")

    def trained(self, epoch: int, loss: Loss, batch: int) -> None:
        """An epoch of training is over."""
        self.say(
            f"# Finished training epoch {epoch} on {loss.documents} examples from {loss.batches} batches, each of size "
            f"{batch}."
        )
        self.say("Metrics for Training:")
        self._losses(loss)
        self.context.emit(metric_lines.quality_metric(self.host, "train", LOSS, loss.total, epoch=epoch))

    def scored(self, loss: Loss, batch: int, epoch: int | None = None) -> None:
        """Documents were scored, those of the validation channel after an epoch."""
        self.say(f"Finished scoring on {loss.documents} examples from {loss.batches} batches, each of size {batch}.")
        self.say("Metrics for Inference:")
        self._losses(loss)
        if epoch is not None:
            self.say(f"#validation_score ({epoch}): {loss.total!r}")

    def judged(self, verdict: Verdict) -> None:
        """What early stopping makes of an epoch."""
        if not verdict.window:
            return
        self.say(
            f"patience losses:{list(verdict.window)} min patience loss:{verdict.least} current loss:{verdict.loss} "
            f"absolute loss difference:{abs(verdict.loss - verdict.least)}"
        )
        if verdict.bad:
            self.say(f"Bad epoch: loss has not improved (enough). Bad count:{verdict.bad}")
        if verdict.is_last:
            self.say("Bad epochs exceeded patience. Stopping training early!")

    def finished(self, epoch: int, epochs: int, loss: Loss, begin: float, trained: float, end: float) -> None:
        """An epoch is over; times are seconds since 1970."""
        times = f"train: {trained - begin:.2f}s, val: {end - trained:.2f}s, epoch: {end - begin:.2f}s"
        self.say(f"Timing: {times}")
        share = round(100 * epoch / epochs, 4)
        self.say(f"#progress_metric: host={self.host}, completed {share!r} % of epochs")
        figures = {
            "epochs": epochs,
            "Total Batches Seen": loss.batches * epoch,
            "Total Records Seen": loss.documents * epoch,
            "update.time": 1000 * (end - begin),
        }
        self.context.emit(metric_lines.metrics(ALGORITHM, self.host, "training", begin, end, figures, epoch=epoch))
        self.context.emit(metric_lines.throughput_metric(self.host, loss.documents, trained - begin))
        self.context.progress(epoch, epochs)

    def ended_early(self) -> None:
        self.say("Early stop condition met. Stopping training.")
        self.context.emit(metric_lines.progress_metric(self.host, 100, last=True))

    def concluded(self, epoch: int, best_epoch: int, loss: float, *, validated: bool) -> None:
        """Training is over after `epoch` epochs, and the model is that of the best one, with this loss."""
        if validated:
            self.context.emit(metric_lines.quality_metric(self.host, "validation", LOSS, loss, epoch=epoch))
        self.say(f"Loss of server-side model: {loss!r}")
        self.say(f"Best model based on early stopping at epoch {best_epoch}. Best loss: {loss!r}")

    def topics(self, summary: Summary) -> None:
        """The top words of each topic, and where the model goes."""
        for line in summary.log_lines():
            self.say(line)
        self.say(f"Serializing model to {self.context.model_directory / artefact.ARCHIVE}")

    def tested(self, loss: Loss, batch: int) -> None:
        """The test channel was scored by the finished model."""
        self.scored(loss, batch)
        self.context.emit(metric_lines.quality_metric(self.host, "test", LOSS, loss.total))

    def _losses(self, loss: Loss) -> None:
        parts: Sequence[tuple[str, float]] = (
            ("total", loss.total),
            ("kld", loss.divergence),
            ("recons", loss.reconstruction),
            ("logppx", loss.total),
        )
        for name, value in parts:
            self.say(f"Loss (name: value) {name}: {value!r}")
