"""What is done once a network has learnt: its files, how an endpoint will see pictures, and the report."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from sagedock.algorithm import Context
from sagedock.algorithms.image_classification import artefact, engine, export, report, saliency
from sagedock.algorithms.image_classification.best import Best
from sagedock.algorithms.image_classification.description import NETWORK, Description
from sagedock.algorithms.image_classification.epochs import Epochs
from sagedock.algorithms.image_classification.examples import Source
from sagedock.algorithms.image_classification.feeds import Pictures
from sagedock.algorithms.image_classification.hyperparameters import INT8
from sagedock.algorithms.image_classification.journal import Journal
from sagedock.algorithms.image_classification.learner import Learner
from sagedock.algorithms.image_classification.trainer import accuracy, judged
from sagedock.contracts.hyperparameters import Values
from sagedock.figures import Figure

log = logging.getLogger(__name__)

CALIBRATION_PICTURES = 128
COMPARED_PICTURES = 512


@dataclass(frozen=True)
class Conclusion:
    """The end of a job on the host that writes the model; the learner holds the weights of the best epoch."""

    values: Values
    learner: Learner
    train: Source
    validation: Pictures
    context: Context
    journal: Journal

    def describe(self, best: Best) -> Description:
        """The model that is served."""
        network, values = self.learner.network, self.values
        return Description(
            num_layers=network.num_layers,
            image_shape=network.image_shape,
            num_classes=network.num_classes,
            stem=network.stem,
            multi_label=bool(values["multi_label"]),
            class_names=self.train.names,
            answers_names=bool(values["_class_names"]),
            resize=values["resize"],
            epoch=1 if best.epoch is None else best.epoch + 1,
            accuracy=best.accuracy,
            precision=values["_serving_precision"],
        )

    def write(self, description: Description, kept: Collection[str]) -> Sequence[str]:
        """Write the files of the model beside those `kept` of earlier epochs, which were told of; their names."""
        pictures = self.validation.squashed(CALIBRATION_PICTURES) if description.precision == INT8 else ()
        calibration = (batch.pictures for batch in pictures)
        directory, size = self.context.model_directory, self.values["mini_batch_size"]
        names = artefact.write(directory, self.learner.network, description, size, calibration)
        if names[0] not in kept:
            self.journal.saved(names[0])
        return names

    def squashed_accuracy(self) -> float | None:
        """That of the validation channel as an endpoint sees it; None of a pipe, and after SIGTERM."""
        if self.validation.is_pipe:
            log.info("a pipe is not read once more to see how its pictures are judged as an endpoint resizes them")
            return None
        found = self.context.unless_stopped(lambda: judged(self.learner, self.validation.squashed(), ()))
        if found is None:
            return None
        self.journal.squashed(accuracy(found))
        return accuracy(found)

    def compare_precisions(self, description: Description) -> None:
        """Tell what int8 costs on pictures of the validation channel."""
        if description.precision != INT8:
            return
        found = self.context.unless_stopped(lambda: self._compared(description))
        if found is not None:
            self.journal.say(
                f"int8 on {found.rows} validation pictures: accuracy {found.served:.6f}, in float32 {found.exact:.6f}"
            )

    def _compared(self, description: Description) -> export.Compared:
        exact = export.float_run(self.learner.network, description)
        served = engine.opened(self.context.model_directory / NETWORK, description)
        batches = ((batch.pictures, batch.labels) for batch in self.validation.squashed(COMPARED_PICTURES))
        return export.compared(exact, served, batches, multi_label=description.multi_label)

    def report(self, epochs: Epochs, squashed: float | None) -> tuple[dict[str, Any], Sequence[Figure]]:
        """Metrics and figures."""
        best = epochs.best
        run = report.Run(
            hyperparameters=self.values.given,
            epochs=epochs.done,
            best_epoch=best.epoch or 0,
            train_counts=[] if self.train.rows is None else self.train.counts().tolist(),
            facts=self._facts(),
            squashed_accuracy=squashed,
        )
        explain = partial(saliency.grad_cam, self.learner.network)
        return report.made(run, best.judgement, self._pictures, explain)

    def _pictures(self, numbers: Collection[int]) -> Mapping[int, NDArray[Any]]:
        return self.context.unless_stopped(lambda: self.validation.chosen(numbers)) or {}

    def _facts(self) -> list[tuple[str, str]]:
        network, values = self.learner.network, self.values
        learnt = "the last layer only" if values["_frozen_backbone"] else "all layers"
        return [
            ("Layers", str(network.num_layers)),
            ("Parameters", f"{sum(each.numel() for each in network.parameters()):,}"),
            ("Weights at the start", network.origin),
            ("Learnt", learnt),
            ("Trained on", self.context.device.upper()),
            ("Answers in", values["_serving_precision"]),
        ]
