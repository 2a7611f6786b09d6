"""Training BlazingText, read top to bottom: a classifier of lines, or the vectors of words."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithm import Context, Trained
from sagedock.algorithms.blazingtext import (
    classification,
    fasttext_file,
    quantisation,
    report,
    word_learning,
    word_map,
)
from sagedock.algorithms.blazingtext.checkpoints import Checkpoints
from sagedock.algorithms.blazingtext.classification import (
    Data,
    Judged,
    ValidationJudge,
    judged,
    judged_data,
    tell_accuracy,
)
from sagedock.algorithms.blazingtext.corpus import checksum
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.early_stopping import EarlyStopping
from sagedock.algorithms.blazingtext.embedding import Embedding
from sagedock.algorithms.blazingtext.epochs import Epochs
from sagedock.algorithms.blazingtext.evaluation import VARIABLE, Pair, evaluate, read_pairs
from sagedock.algorithms.blazingtext.fasttext_file import FastTextFile
from sagedock.algorithms.blazingtext.hosts import require_same_text
from sagedock.algorithms.blazingtext.hyperparameters import BATCH_SKIPGRAM, SUPERVISED, WIDE_DIM, without_effect
from sagedock.algorithms.blazingtext.model import VECTORS_AS_TEXT, TextClassifier, WordVectors, classifier_of
from sagedock.algorithms.blazingtext.throughput import Throughput
from sagedock.algorithms.blazingtext.tokenizer import Tokenizer
from sagedock.algorithms.blazingtext.weights import Weights
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.contracts.machine import cpu_count
from sagedock.errors import UserError

log = logging.getLogger(__name__)

NOT_OF_THE_MODEL = frozenset(
    {"_threads", "_quantise", "_quantise_rows", "evaluation", "early_stopping", "patience", "min_epochs"}
)
"""Hyperparameters in which a job may differ from the one whose checkpoint it resumes."""


def train(hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained:
    """Train on channels["train"]; a classifier is judged by channels["validation"] when there is one.

    Raises UserError for data that nothing can be learnt from.
    """
    _check(hyperparameters, channels, context)
    with TemporaryDirectory(prefix="blazingtext-") as folder:
        learn = _train_classifier if hyperparameters["mode"] == SUPERVISED else _train_vectors
        return learn(hyperparameters, channels, context, Path(folder))


def _check(values: Values, channels: Mapping[str, Channel], context: Context) -> None:
    mode = values["mode"]
    _check_hosts(mode, context)
    if values["early_stopping"] and mode == SUPERVISED and "validation" not in channels:
        raise UserError(
            "Hyperparameter early_stopping: it goes by the accuracy on a validation channel, and there is none: add "
            "one, or leave early_stopping out",
            field="early_stopping",
        )
    for name in without_effect(values):
        log.warning("hyperparameter %s has no effect in mode %s as this job is set up", name, mode)
    if mode != SUPERVISED and "validation" in channels:
        log.warning("the validation channel has no effect in mode %s", mode)
    if values["vector_dim"] >= WIDE_DIM:
        log.warning("vector_dim is %d: training takes long and much memory", values["vector_dim"])


def _check_hosts(mode: str, context: Context) -> None:
    hosts = context.cluster.hosts
    if len(hosts) == 1:
        log.info("Running single machine %s BlazingText training using %s mode.", _device(mode, context).upper(), mode)
        return
    if mode != BATCH_SKIPGRAM:
        raise UserError(
            f"Hyperparameter mode: {mode} trains on one host, and this job has {len(hosts)} ({', '.join(hosts)}): set "
            "InstanceCount to 1, or mode to batch_skipgram",
            field="mode",
        )
    if context.device == "gpu":
        raise UserError("Please use a single GPU instance or change to multiple CPU instances.", field="mode")
    log.info("Running distributed CPU BlazingText training using %s on %d hosts.", mode, len(hosts))
    master, here = hosts[0], hosts[context.cluster.rank]
    log.info("Number of hosts: %d, master IP address: %s, host IP address: %s.", len(hosts), master, here)


def _device(mode: str, context: Context) -> str:
    """cpu or gpu: where a job of one host trains, which is on the processors for a classifier."""
    return "gpu" if context.device == "gpu" and mode != SUPERVISED and find_spec("torch") is not None else "cpu"


def _train_classifier(values: Values, channels: Mapping[str, Channel], context: Context, folder: Path) -> Trained:
    threads = values.get("_threads", cpu_count())
    data = classification.read(values, channels, context, folder)
    trainer = classification.trainer(values, data.train, threads)
    stopping = EarlyStopping(values["min_epochs"], values["patience"]) if values["early_stopping"] else None
    judge = ValidationJudge(trainer, data, stopping, context, threads)
    epochs = Epochs(
        values["epochs"],
        context,
        Throughput(context.emit),
        _checkpoints(values, context, data.train.dictionary, data.train.rows, data.train.labels, data.train.starts),
    )
    epochs.run(trainer, judge)
    epochs.throughput.finish()
    if stopping is not None and stopping.best is not None:
        Weights.of(trainer).put(stopping.best)
    classifier = trainer.classifier()
    begun = time.monotonic()
    train, validation = context.unless_stopped(lambda: judged_data(classifier, data, threads)) or (None, None)
    judging = time.monotonic() - begun
    tell_accuracy(train, validation, context.emit)
    file = classification.model_file(values, trainer, data.train.dictionary)
    metrics = report.of_classifier(values, data, train, validation, stopping, epochs)
    metrics["predicting"] = report.of_predicting(data, judging) if train is not None else None
    if values["_quantise"]:
        file, metrics["quantisation"] = _quantise(values, file, data, validation or train, context, threads)
        classifier = classifier_of(file)
    metrics["map"] = word_map.of_embedding(Embedding.of_file(file))
    model = TextClassifier(file, classifier, _facts(values, epochs))
    return Trained(model, metrics, report.figures(metrics))


def _quantise(
    values: Values, file: FastTextFile, data: Data, before: Judged | None, context: Context, threads: int
) -> tuple[FastTextFile, dict[str, Any]]:
    """The smaller model, and what it costs, measured on the validation channel where there is one."""
    selection = quantisation.select(file.dictionary, file.input, values.get("_quantise_rows", 0))
    small = quantisation.quantised(
        file, selection, np.random.default_rng(values["_seed"]), norms=True, width=2, threads=threads
    )
    name, held = ("train", data.train) if data.validation is None else ("validation", data.validation)
    after = context.unless_stopped(lambda: judged(classifier_of(small), selection.examples(held), threads))
    told: dict[str, Any] = {"rows": len(selection.rows), "dataset": name, "bytes": fasttext_file.size(small)}
    if before is not None and after is not None:
        told |= {
            "accuracy_before": before.accuracy,
            "accuracy": after.accuracy,
            "loss": before.accuracy - after.accuracy,
        }
        context.emit(f"Quantised: accuracy on {name} {after.accuracy:.4f}, {before.accuracy:.4f} before")
    return small, told


def _train_vectors(values: Values, channels: Mapping[str, Channel], context: Context, folder: Path) -> Trained:
    threads = values.get("_threads", cpu_count())
    pairs = _pairs(context) if values["evaluation"] else None
    sentences = word_learning.read(values, channels, context, folder)
    require_same_text(sentences, context.cluster)
    device = "cuda" if _device(values["mode"], context) == "gpu" else None
    trainer = word_learning.trainer(values, sentences, threads, context.cluster, device)
    throughput = Throughput(context.emit, len(context.cluster.hosts), "Training finished!")
    checkpoints = _checkpoints(values, context, sentences.dictionary, sentences.words, sentences.starts)
    epochs = Epochs(values["epochs"], context, throughput, checkpoints)
    epochs.run(trainer, word_learning.NoJudge())
    throughput.finish()
    file = word_learning.model_file(values, sentences, Weights.of(trainer))
    embedding = Embedding.of_file(file)
    evaluation = None if pairs is None or context.cluster.rank else _evaluate(embedding, pairs, context)
    told = None if evaluation is None else _shown(evaluation)
    model = WordVectors(embedding, file, told, _facts(values, epochs))
    metrics = report.of_vectors(values, sentences, epochs, evaluation)
    metrics["map"] = word_map.of_embedding(embedding)
    return Trained(model, metrics, report.figures(metrics))


def _pairs(context: Context) -> dict[str, Sequence[Pair]] | None:
    """What the vectors are to be judged by, read before they are trained."""
    folder = context.environment.get(VARIABLE)
    return read_pairs(Path(folder) if folder else None)


def _evaluate(embedding: Embedding, pairs: Mapping[str, Sequence[Pair]], context: Context) -> dict[str, Any]:
    """What eval.json is to hold, told in the log."""
    context.emit("Evaluating word embeddings....")
    context.emit(f"Vectors read from: {context.model_directory / VECTORS_AS_TEXT} ")
    asked = {word for some in pairs.values() for pair in some for word in (pair.first, pair.second)}
    known = sorted(asked & set(embedding.words))
    vectors = [embedding.vector(word) for word in known]
    matrix = np.stack(vectors) if vectors else np.empty((0, embedding.dim), np.float32)
    found = evaluate({word: row for row, word in enumerate(known)}, matrix, pairs)
    context.emit(_shown(found))
    context.emit(f"#mean_rho: {found['mean_rho']!r}")
    return found


def _shown(evaluation: Mapping[str, Any]) -> str:
    """The evaluation as eval.json and the log have it."""
    return json.dumps(evaluation, indent=4, sort_keys=True)


def _facts(values: Values, epochs: Epochs) -> dict[str, Any]:
    """What the manifest says beside sizes: how long training was, and what is to be done to texts."""
    return {"epochs": epochs.done, **Tokenizer(values["_lower_case"], values["_tokenise"]).facts}


def _checkpoints(
    values: Values, context: Context, dictionary: Dictionary, *columns: NDArray[Any]
) -> Checkpoints | None:
    """Where the job's checkpoints are kept, and what makes another job out of it."""
    if context.checkpoints is None:
        return None
    asked = {name: values[name] for name in values if name not in NOT_OF_THE_MODEL}
    return Checkpoints(context.checkpoints, {**asked, "training data": f"{checksum(dictionary, *columns):08x}"})
