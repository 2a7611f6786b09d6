"""Training an image classifier, read top to bottom: network, pictures, epochs, the best one's files, report."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithm import Context, Trained
from sagedock.algorithms.image_classification import channels as channel_sources
from sagedock.algorithms.image_classification import initialisation, losses, model
from sagedock.algorithms.image_classification.artefact import Written
from sagedock.algorithms.image_classification.checkpoints import Checkpoints
from sagedock.algorithms.image_classification.conclusion import CALIBRATION_PICTURES, COMPARED_PICTURES, Conclusion
from sagedock.algorithms.image_classification.early_stopping import EarlyStopping
from sagedock.algorithms.image_classification.epochs import Epochs
from sagedock.algorithms.image_classification.examples import Source
from sagedock.algorithms.image_classification.feeds import Features, Feed, Pictures
from sagedock.algorithms.image_classification.hyperparameters import completed, require_pretrained
from sagedock.algorithms.image_classification.journal import Journal
from sagedock.algorithms.image_classification.kept_epochs import KeptEpochs
from sagedock.algorithms.image_classification.learner import Learner, devices
from sagedock.algorithms.image_classification.preparation import Preparation
from sagedock.algorithms.image_classification.schedule import Schedule
from sagedock.algorithms.image_classification.trainer import Trainer
from sagedock.contracts import machine
from sagedock.contracts.channels import Channel
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

log = logging.getLogger(__name__)


def train(hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained | None:
    """A classifier of the pictures in channels["train"], judged by channels["validation"]; None but on the first host.

    Raises UserError for weights and data that cannot be used.
    """
    torch.set_num_threads(min(torch.get_num_threads(), machine.cpu_count()))
    values = completed(hyperparameters)
    journal = Journal(context, None if values["multi_label"] else values["top_k"])
    journal.parameters(values)
    require_weights(values, channels)
    network = initialisation.network(values, channels, context.environment)
    train_source, validation_source = channel_sources.sources(channels, values)
    learner = Learner(
        network, values, context.cluster, devices(context.device), _positive_weights(values, train_source)
    )
    try:
        return _trained(values, channels, context, journal, learner, train_source, validation_source)
    finally:
        learner.close()


def require_weights(values: Values, channels: Mapping[str, Channel]) -> None:
    """Raise UserError for pretrained weights that there cannot be, and for a backbone that would stay random.

    The channel `model`, if there is one, gives the weights, whatever use_pretrained_model says.
    """
    if "model" in channels:
        return
    if values["use_pretrained_model"]:
        require_pretrained(values)
    elif values["_frozen_backbone"]:
        raise UserError(
            "Hyperparameter _frozen_backbone: with 1 all layers but the last stay as they are, and they would be "
            "random: set use_pretrained_model to 1, or give weights in the channel model",
            field="_frozen_backbone",
        )


def _trained(
    values: Values,
    channels: Mapping[str, Channel],
    context: Context,
    journal: Journal,
    learner: Learner,
    train_source: Source,
    validation_source: Source,
) -> Trained | None:
    training = _pictures(values, train_source, channels["train"], context)
    validation = _pictures(values, validation_source, channels["validation"], context)
    validation.keeps = max(CALIBRATION_PICTURES, COMPARED_PICTURES)
    trainer = _trainer(values, learner, training, validation, journal.top_k)
    epochs = Epochs(
        count=values["epochs"],
        trainer=trainer,
        context=context,
        journal=journal,
        stopping=EarlyStopping.of(values),
        checkpoints=Checkpoints.of(context.checkpoints, values, train_source, len(context.cluster.hosts)),
        kept=KeptEpochs(values["checkpoint_frequency"], context.model_directory, context.checkpoints),
    )
    best = epochs.run()
    if context.cluster.rank:
        return None
    conclusion = Conclusion(values, learner, train_source, validation, context, journal)
    description = conclusion.describe(best)
    kept = epochs.kept.names(len(epochs.done))
    names = {*conclusion.write(description, kept), *kept}
    squashed = conclusion.squashed_accuracy()
    conclusion.compare_precisions(description)
    metrics, figures = conclusion.report(epochs, squashed)
    served = model.load(context.model_directory, None, InferenceOptions(environment=context.environment))
    return Trained(Written.of(served, sorted(names)), metrics, figures)


def _pictures(values: Values, source: Source, channel: Channel, context: Context) -> Pictures:
    return Pictures(
        source=source,
        preparation=Preparation(values["image_shape"], values["resize"], values["augmentation_type"]),
        size=values["mini_batch_size"],
        seed=values["_seed"],
        threads=machine.cpu_count(),
        cluster=context.cluster,
        is_pipe=channel.input_mode == "Pipe",
    )


def _trainer(values: Values, learner: Learner, training: Pictures, validation: Pictures, top_k: int | None) -> Trainer:
    feeds: tuple[Feed, Feed] = (training, validation)
    if values["_frozen_backbone"]:
        log.info("every picture goes through the frozen layers once")
        feeds = (Features.of(training, learner), Features.of(validation, learner))
    return Trainer(
        learner=learner,
        train=feeds[0],
        validation=feeds[1],
        schedule=Schedule.of(values),
        cluster=training.cluster,
        top_k=top_k,
        names=training.source.names or (),
    )


def _positive_weights(values: Values, train: Source) -> NDArray[np.float32] | None:
    if not (values["multi_label"] and values["use_weighted_loss"]):
        return None
    pictures = values["num_training_samples"] if train.rows is None else train.rows
    return losses.positive_weights(train.counts(), pictures, train.names)
