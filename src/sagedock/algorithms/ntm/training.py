"""Training a neural topic model, read top to bottom: documents, epochs, the best model, its topics, test channel."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

import numpy as np
import torch

from sagedock.algorithm import Context, Trained
from sagedock.algorithms.ntm import report
from sagedock.algorithms.ntm.checkpoints import Checkpoints
from sagedock.algorithms.ntm.early_stopping import EarlyStopping
from sagedock.algorithms.ntm.epochs import Epochs
from sagedock.algorithms.ntm.hyperparameters import (
    DEFAULTS,
    PRODLDA,
    activation,
    coherence,
    dropout,
    layers,
    learning_rate,
    optimizer,
    prior,
    told,
)
from sagedock.algorithms.ntm.journal import Journal
from sagedock.algorithms.ntm.model import NtmModel
from sagedock.algorithms.ntm.network import Design
from sagedock.algorithms.ntm.optimisers import OPTIMISERS, Adam, Optimiser
from sagedock.algorithms.ntm.trainer import Loss, Settings, Trainer
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.topics import data as channel_data
from sagedock.topics import embeddings
from sagedock.topics.data import Data
from sagedock.topics.documents import Documents, Floats
from sagedock.topics.summary import Summary

log = logging.getLogger(__name__)

PRODLDA_BETA1 = 0.99
"""Of Adam, as the paper's authors have it."""


def train(hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained | None:
    """Topics of channels["train"]; None but on the first host.

    Raises UserError for data that no topics can be found in, and when training diverges.
    """
    torch.set_num_threads(1)  # threads that spin for one another cost more than these small products
    journal, batch = Journal(context), hyperparameters["mini_batch_size"]
    journal.configuration(DEFAULTS, hyperparameters.given, told(hyperparameters))
    data = channel_data.read(channels, hyperparameters, context.cluster)
    hosts = len(context.cluster.hosts)
    require_documents(data.train, hyperparameters, alone=hosts == 1)
    vectors = embeddings.of_job(context.environment, data.vocabulary)
    trainer = _trainer(hyperparameters, data, context)
    epochs = Epochs(
        count=hyperparameters["epochs"],
        mini_batch_size=batch,
        context=context,
        journal=journal,
        stopping=EarlyStopping(hyperparameters["num_patience_epochs"], hyperparameters["tolerance"]),
        checkpoints=Checkpoints.of(
            context.checkpoints, hyperparameters, data.train, hosts, validated=data.validation is not None
        ),
        validation=data.validation,
    )
    epochs.run(trainer)
    loss = _concluded(trainer, epochs, data, journal)
    summary = Summary.of(_topics(trainer), data.train, data.vocabulary, vectors)
    journal.topics(summary)
    tested = _test(trainer, data.test, context)
    if tested is not None:
        journal.tested(tested, batch)
    elif data.test is None:
        journal.say("Test data is not provided.")
    if context.cluster.rank:
        return None
    facts = {"network": hyperparameters["_network"]}
    model = NtmModel.of(trainer.encoder(), trainer.decoder(), data.vocabulary, facts, summary)
    return Trained(model, *report.made(model, summary, _topics(trainer), data, epochs, loss, tested))


def require_documents(documents: Documents, values: Values, *, alone: bool) -> None:
    """Raise UserError where topics cannot be found in so many documents; of several hosts each has but a part."""
    if alone:
        channel_data.require_enough(documents, values["num_topics"])
    empty = int((documents.lengths == 0).sum())
    if empty:
        log.warning("%d of the %d documents of the train channel have no words", empty, documents.rows)


def _trainer(values: Values, data: Data, context: Context) -> Trainer:
    settings = Settings(values["mini_batch_size"], values["sub_sample"], values["_seed"], coherence(values))
    device = "cuda" if context.device == "gpu" else "cpu"
    made = partial(optimiser, values)
    return Trainer(design(values, data.feature_dim), settings, made, data.train, context.cluster, device)


def design(values: Values, vocabulary_size: int) -> Design:
    """The network that a job asks for."""
    return Design(
        vocabulary_size=vocabulary_size,
        topics=values["num_topics"],
        layers=layers(values),
        activation=activation(values),
        network=values["_network"],
        batch_norm=values["batch_norm"],
        dropout=dropout(values),
        prior=prior(values),
    )


def optimiser(values: Values, weights: torch.Tensor) -> Optimiser:
    """What takes its steps."""
    made = OPTIMISERS[optimizer(values)](
        weights,
        learning_rate(values),
        rescale_gradient=values["rescale_gradient"],
        clip_gradient=values["clip_gradient"],
        weight_decay=values["weight_decay"],
    )
    if isinstance(made, Adam) and values["_network"] == PRODLDA:
        made.beta1 = PRODLDA_BETA1
    return made


def _concluded(trainer: Trainer, epochs: Epochs, data: Data, journal: Journal) -> Loss:
    """The loss of the model that is kept, told once."""
    best = epochs.stopping.best_epoch
    loss = epochs.training[best - 1]
    if data.validation is not None:
        loss = trainer.score(data.validation)
        journal.scored(loss, epochs.mini_batch_size)
    journal.concluded(epochs.done, best, loss.total, validated=data.validation is not None)
    return loss


def _topics(trainer: Trainer) -> Floats:
    """(topics, words) distributions: the softmax of each column of the projection."""
    columns = trainer.decoder().projection.T.astype(np.float64)
    shares = np.exp(columns - columns.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _test(trainer: Trainer, documents: Documents | None, context: Context) -> Loss | None:
    """The loss of the test channel; None without it, and where the job was stopped before its end."""
    if documents is None:
        return None
    found = context.unless_stopped(lambda: trainer.score(documents))
    if found is None:
        log.warning("stopped while the test channel was scored: the model is whole, and there are no test figures")
    return found
