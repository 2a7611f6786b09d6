"""What a job tells its log, in the words of the built-in algorithm, which people search for (specification, 8)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sagedock import metric_lines
from sagedock.algorithm import Context
from sagedock.algorithms.image_classification import hyperparameters
from sagedock.algorithms.image_classification.tally import Tally
from sagedock.contracts.hyperparameters import Values

BATCHES_BETWEEN = 20


@dataclass
class Journal:
    """The log lines of one host; `top_k` is the hyperparameter."""

    context: Context
    top_k: int | None = None
    _first: tuple[float, int] = field(default=(0.0, 0), init=False)
    """When the first batch of the epoch was over, and how many pictures it had."""

    @property
    def host(self) -> str:
        return self.context.cluster.hosts[self.context.cluster.rank]

    def say(self, text: str) -> None:
        """One line behind the time."""
        self.context.emit(metric_lines.prefixed(text))

    def parameters(self, values: Values) -> None:
        """What the job is asked for, and what of it has no effect."""
        self.say("---- Parameters ----")
        for name, value in sorted(values.items()):
            if value is not None:
                text = hyperparameters.shape_text(values) if name == "image_shape" else str(value)
                self.say(f"{name}: {text}")
        self.say("--------------------")
        for sentence in hyperparameters.of_no_effect(values):
            self.say(sentence)
        if values["checkpoint_frequency"] is None:
            self.say("checkpoint_frequency is not set: the model of the best validation accuracy will be stored")
        if values["kv_store"] == "dist_async" and len(self.context.cluster.hosts) > 1:
            self.say("kv_store dist_async is trained as dist_sync: by the mean of all hosts' gradients")

    def batch(self, epoch: int, number: int, seen: Tally) -> None:
        """Batch `number` of an epoch is over, both from 0; told of every twentieth, with the figures so far."""
        if number == 0:
            self._first = (time.monotonic(), seen.pictures)
        elif number % BATCHES_BETWEEN == 0:
            began, pictures = self._first
            speed = (seen.pictures - pictures) / max(time.monotonic() - began, 1e-9)
            figures = f"accuracy={seen.accuracy:.6f}"
            if self.top_k is not None:
                figures += f"\ttop_k_accuracy_{self.top_k}={seen.top_k_accuracy:.6f}"
            self.say(f"Epoch[{epoch}] Batch [{number}]\tSpeed: {speed:.3f} samples/sec\t{figures}")

    def trained(self, epoch: int, seen: Tally, seconds: float) -> None:
        """An epoch's training is over."""
        self.say(f"Epoch[{epoch}] Train-accuracy={seen.accuracy:.6f}")
        if self.top_k is not None:
            self.say(f"Epoch[{epoch}] Train-top_k_accuracy_{self.top_k}={seen.top_k_accuracy:.6f}")
        self.say(f"Epoch[{epoch}] Time cost={seconds:.3f}")

    def judged(self, epoch: int, epochs: int, accuracy: float, *, best: bool) -> None:
        """An epoch is over, and `best` if none before it was as good."""
        self.say(f"Epoch[{epoch}] Validation-accuracy={accuracy:.6f}")
        if best:
            self.say(f"Storing the best model with validation accuracy: {accuracy:.6f}")
        self.context.emit(metric_lines.progress_metric(self.host, 100 * (epoch + 1) / epochs))
        self.context.progress(epoch + 1, epochs)

    def saved(self, name: str) -> None:
        """Weights were written."""
        self.say(f'Saved checkpoint to "{self.context.model_directory / name}"')

    def squashed(self, accuracy: float) -> None:
        """The validation channel was judged once more, with pictures squeezed to shape as an endpoint does it."""
        self.say(f"Accuracy on the validation channel with pictures resized as an endpoint does: {accuracy:.6f}")
