"""Training DeepAR, read top to bottom: series, network, epochs, test channel."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from sagedock.algorithm import Cluster, Context, Trained
from sagedock.algorithms.deepar import autoregression, channel, report, training_set
from sagedock.algorithms.deepar.best import Best
from sagedock.algorithms.deepar.channel import Data
from sagedock.algorithms.deepar.checkpoints import Checkpoints
from sagedock.algorithms.deepar.epochs import Epochs
from sagedock.algorithms.deepar.evaluation import Evaluation, Forecast, evaluate
from sagedock.algorithms.deepar.forecaster import Forecaster
from sagedock.algorithms.deepar.held_out import HeldOut, may_be_widened
from sagedock.algorithms.deepar.hyperparameters import DEFAULTS
from sagedock.algorithms.deepar.journal import Journal
from sagedock.algorithms.deepar.model import DeepARModel
from sagedock.algorithms.deepar.network import Network
from sagedock.algorithms.deepar.parameters import Architecture, Floats, Parameters
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.algorithms.deepar.settings import Settings, architecture, batch_bytes, network_bytes, require_memory
from sagedock.algorithms.deepar.statistics import Statistics
from sagedock.algorithms.deepar.trainer import Trainer
from sagedock.algorithms.deepar.windows import Windows
from sagedock.contracts import machine
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

log = logging.getLogger(__name__)

NOT_OF_THE_MODEL = frozenset({"epochs", "early_stopping_patience", "num_eval_samples", "test_quantiles"})
"""Hyperparameters in which a job may differ from the one whose checkpoint it resumes."""


def train(hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained | None:
    """A network for the series of channels["train"], judged on channels["test"] where there is one; None but on rank 0.

    Raises UserError for data that nothing can be learnt from, and where training diverges.
    """
    torch.set_num_threads(1)  # the products are small: more threads wait for each other longer than they work
    journal, settings = Journal(context), Settings.of(hyperparameters)
    journal.configuration(DEFAULTS, hyperparameters.given, dict(hyperparameters), settings.patience)
    data = channel.read(channels["train"], hyperparameters)
    journal.say(*training_set.lines(data, hyperparameters))
    statistics = Statistics.of(data.series)
    journal.say(*statistics.lines("Training"))
    series = training_set.learnable(data, statistics)
    built = agreed(architecture(hyperparameters, data.layout, statistics), context.cluster)
    if context.device == "cpu":
        require_memory(built, settings, max(0, machine.memory_limit() - machine.resident_memory()))
    trainer = prepared(series, built, settings, context)
    journal.passes(len(trainer.windows.eligible), trainer.passes)
    test = _test_data(channels, hyperparameters, data, journal)
    _tell_device(trainer, context, journal)
    best = Epochs(settings, context, journal, _checkpoints(context, hyperparameters, statistics)).run(trainer)
    if context.cluster.rank != 0:
        return None
    parameters = _finished(trainer, best)
    evaluation = _evaluated(parameters, test, hyperparameters, context, journal)
    metrics, figures = report.made(hyperparameters, statistics, best, evaluation)
    return Trained(DeepARModel(parameters), metrics, figures)


def agreed(built: Architecture, cluster: Cluster) -> Architecture:
    """The network that all hosts train: that of the first, with as many categories as any host has.

    Raises UserError where the hosts' series do not have the same fields.
    """
    if len(cluster.hosts) == 1:
        return built
    parts = cluster.gather(json.dumps(asdict(built)).encode())
    told = json.loads(cluster.broadcast(b"[" + b",".join(parts) + b"]"))
    all_built = [Architecture.parse(each) for each in told]
    first = all_built[0]
    for each in all_built:
        if (len(each.cardinality), each.dynamic_features) != (len(first.cardinality), first.dynamic_features):
            raise UserError(
                "the hosts of this job have series with different fields: give cat and dynamic_feat in all or in none",
                field="train",
            )
    cardinality = tuple(max(sizes) for sizes in zip(*(each.cardinality for each in all_built), strict=True))
    return replace(first, cardinality=cardinality)


def prepared(series: SeriesList, built: Architecture, settings: Settings, context: Context) -> Trainer:
    """The network before its first step, and the windows that it will learn from."""
    held_out = HeldOut.of(series, built) if settings.seasonal else None
    windows = Windows(series if held_out is None else held_out.learnt, built)
    network = Network.new(built, settings.seed)
    if built.skip:
        random = np.random.default_rng([settings.seed, context.cluster.rank])
        autoregression.start_from(network, autoregression.fit(network, windows, random))
    device = "cuda" if context.device == "gpu" else "cpu"
    return Trainer(network.to(device), windows, settings, held_out, device, context.cluster.rank)


def _finished(trainer: Trainer, best: Best) -> Parameters:
    """The network of the best epoch; its forecasts as wide as what was held out says."""
    arrays: Mapping[str, Floats] = best.arrays or trainer.arrays()
    parameters = Parameters(trainer.network.architecture, arrays)
    if trainer.held_out is None or not may_be_widened(parameters.architecture):
        return parameters
    return Parameters(replace(parameters.architecture, spread=trainer.held_out.spread(parameters)), arrays)


def _forecast(parameters: Parameters, paths: int, seed: int) -> Forecast:
    forecaster = Forecaster(parameters, seed)

    def forecast(series: Sequence[Series]) -> Floats:
        return forecaster.forecast(series, paths)

    return forecast


def _test_data(channels: Mapping[str, Channel], values: Values, data: Data, journal: Journal) -> Data | None:
    if "test" not in channels:
        return None
    test = channel.read(channels["test"], values, data.layout)
    journal.say(*Statistics.of(test.series).lines("Test"))
    return test


def _evaluated(
    parameters: Parameters, test: Data | None, values: Values, context: Context, journal: Journal
) -> Evaluation | None:
    """What the test channel shows; None without one, where no series of it can be judged, and after SIGTERM."""
    if test is None:
        return None
    samples = values["num_eval_samples"]
    forecast = _forecast(parameters, samples, values["_seed"])
    evaluation = context.unless_stopped(
        lambda: evaluate(test.series, forecast, values["test_quantiles"], values["prediction_length"])
    )
    if evaluation is None:
        log.warning("no test figures: no series of the test channel can be judged, or the job was stopped")
        return None
    journal.emit(evaluation.lines(journal.host, samples))
    return evaluation


def _tell_device(trainer: Trainer, context: Context, journal: Journal) -> None:
    built = trainer.network.architecture
    journal.device(int(context.device == "gpu"), batch_bytes(built, trainer.settings.batch), network_bytes(built))


def _checkpoints(context: Context, values: Values, statistics: Statistics) -> Checkpoints | None:
    if context.checkpoints is None:
        return None
    asked: dict[str, Any] = {name: value for name, value in values.items() if name not in NOT_OF_THE_MODEL}
    if Settings.of(values).seasonal:
        asked["epochs"] = values["epochs"]  # the learning rate falls towards the last one
    facts = {"hosts": len(context.cluster.hosts), "data": asdict(statistics)}
    return Checkpoints(context.checkpoints, json.loads(json.dumps({**asked, **facts}, default=str)))
