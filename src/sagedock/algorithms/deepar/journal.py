"""What a job tells its log, in the words of the built-in algorithm, which people search for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagedock import metric_lines
from sagedock.algorithm import Context
from sagedock.algorithms.deepar.best import Best
from sagedock.algorithms.deepar.windows import Passes

ALGORITHM = "AWS/DeepAR"
BATCHES_BETWEEN = 5


@dataclass
class Journal:
    """The log lines of one host."""

    context: Context

    @property
    def host(self) -> str:
        return self.context.cluster.hosts[self.context.cluster.rank]

    def say(self, *texts: str) -> None:
        """Lines of text behind the time."""
        for text in texts:
            self.context.emit(metric_lines.prefixed(text))

    def emit(self, lines: Iterable[str]) -> None:
        """Lines that are complete."""
        for line in lines:
            self.context.emit(line)

    def configuration(
        self, default: Mapping[str, Any], given: Mapping[str, str], final: Mapping[str, Any], patience: int | None
    ) -> None:
        """What the job is asked for."""
        self.say(f"Reading default configuration: {json.dumps(default)}")
        self.say(f"Merging with provided configuration: {json.dumps(given)}")
        self.say(f"Final configuration: {json.dumps(final)}")
        self.say("Detected entry point for worker worker")
        if patience is not None:
            self.say(f"Using early stopping with patience {patience}")
        self.say(f"random_seed is {final['_seed']}")

    def passes(self, series: int, passes: Passes) -> None:
        """How often an epoch goes over few series."""
        if passes != Passes(1, 1.0):
            much = f"{passes.count} passes over dataset with prob {passes.probability:.12g}"
            self.say(f"Small number of time series. Doing {much} per epoch.")

    def device(self, gpus: int, batch_bytes: int, model_bytes: int) -> None:
        """On what, and on how much memory, the network is trained."""
        self.say(f"Number of GPUs being used: {gpus}", "Create Store: local")
        for name, size in (("batchbuffer", batch_bytes), ("model", model_bytes)):
            self.say(f"#memory_usage::<{name}> = {size / 2**20:.12g} mb")

    def batch(self, epoch: int, number: int, loss: float, examples: int, seconds: float) -> None:
        """Batch `number` of an epoch, both from 0: the epoch's average loss, told of every fifth."""
        if number % BATCHES_BETWEEN:
            return
        self.say(f"Epoch[{epoch}] Batch[{number}] avg_epoch_loss={loss:.6f}")
        self.say(f"#quality_metric: host={self.host}, epoch={epoch}, batch={number} train loss <loss>={loss!r}")
        if number:
            speed = examples / max(seconds, 1e-9)
            self.say(f"Epoch[{epoch}] Batch [{number}]\tSpeed: {speed:.2f} samples/sec\tloss={loss:.6f}")

    def epoch(self, best: Best, improved: bool, examples: int, epochs: int, began: float) -> None:
        """The epoch that `best` noted last, of so many windows; it began at a time in seconds since 1970."""
        number, now = len(best.losses) - 1, time.time()
        self.say(f"processed a total of {examples} examples")
        values = {"update.time": 1000 * (now - began)}
        self.context.emit(metric_lines.metrics(ALGORITHM, self.host, "training", began, now, values, epoch=number))
        self.context.emit(metric_lines.throughput_metric(self.host, examples, now - began))
        self.context.emit(metric_lines.progress_metric(self.host, 100 * (number + 1) / epochs))
        self.context.emit(metric_lines.quality_metric(self.host, "train", "loss", best.losses[-1], epoch=number))
        if best.held_out:
            line = metric_lines.quality_metric(self.host, "validation", "loss", best.held_out[-1], epoch=number)
            self.context.emit(line)
        self.say("best epoch loss so far" if improved else "loss did not improve")

    def finished(self, best: Best) -> None:
        """The training is over."""
        self.say(f"Loading parameters from best epoch ({best.epoch})", "stopping training now")
        self.context.emit(metric_lines.progress_metric(self.host, 100))
        self.say(f"Final loss: {best.loss!r} (occurred at epoch {best.epoch})")
        self.context.emit(metric_lines.quality_metric(self.host, "train", "final_loss", best.loss))
        self.say("All workers finished. Serializing model for prediction.")
