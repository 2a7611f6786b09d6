"""What metrics.json holds of a BlazingText job, and the figures of its report, which are drawn from those metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagedock.algorithms.blazingtext import class_measures, word_map
from sagedock.algorithms.blazingtext.classification import Data, Judged
from sagedock.algorithms.blazingtext.corpus import Examples, Sentences
from sagedock.algorithms.blazingtext.early_stopping import EarlyStopping
from sagedock.algorithms.blazingtext.epochs import Epochs
from sagedock.contracts.hyperparameters import Values
from sagedock.figures import Facts, Figure, Line, LineChart, Mark, shown

JSON = dict[str, Any]


def of_classifier(
    values: Values,
    data: Data,
    train: Judged | None,
    validation: Judged | None,
    stopping: EarlyStopping | None,
    epochs: Epochs,
) -> JSON:
    """The numbers of a classifier's training, as JSON values; a job that was stopped may not have been judged."""
    accuracies = {} if stopping is None else stopping.accuracies
    return {
        **_of_training(values, epochs),
        "words": len(data.train.dictionary.words),
        "labels": len(data.train.dictionary.labels),
        "train": _of_lines(train, data.train),
        "validation": _of_lines(validation, data.validation),
        "validation_accuracy_by_epoch": {str(epoch): accuracy for epoch, accuracy in accuracies.items()},
        "best_epoch": None if stopping is None else stopping.best_epoch,
    }


def of_predicting(data: Data, seconds: float) -> JSON:
    """How fast the lines of all channels were answered, which took so many seconds."""
    channels = [data.train] if data.validation is None else [data.train, data.validation]
    words = sum(int(each.token_starts[-1]) for each in channels)
    lines = sum(len(each.starts) - 1 for each in channels)
    speed = max(seconds, 1e-9)
    return {"lines": lines, "lines_per_second": lines / speed, "million_words_per_second": words / speed / 1e6}


def of_vectors(values: Values, sentences: Sentences, epochs: Epochs, evaluation: Mapping[str, Any] | None) -> JSON:
    """The numbers of the training of word vectors; `evaluation` is what eval.json holds."""
    return {
        **_of_training(values, epochs),
        "words": len(sentences.dictionary.words),
        "tokens": sentences.dictionary.tokens,
        "evaluation": None if evaluation is None else dict(evaluation),
    }


def _of_training(values: Values, epochs: Epochs) -> JSON:
    return {
        "mode": values["mode"],
        "epochs": epochs.done,
        "million_words_per_second": epochs.throughput.rate,
        "seconds": epochs.throughput.seconds,
        "hyperparameters": dict(values.given),
    }


def _of_lines(found: Judged | None, examples: Examples | None) -> JSON | None:
    if found is None or examples is None:
        return None
    return {
        "accuracy": found.accuracy,
        "lines": found.count,
        "right": int(found.right.sum()),
        "labels_never_seen": found.unseen,
        "without_label": examples.unlabelled,
        **class_measures.measures(found, examples),
    }


def figures(metrics: Mapping[str, Any]) -> list[Figure]:
    """The report in reading order: headline, accuracy by epoch, similarity of words, facts of the job."""
    headline = Facts("Result", _headline(metrics), kind="headline")
    words = word_map.figures(metrics.get("map"))
    job = Facts("The job", sorted({"mode": metrics["mode"], **metrics["hyperparameters"]}.items()))
    return [
        headline,
        *_classes(metrics),
        *_quantisation(metrics),
        *_learning(metrics),
        *_similarity(metrics),
        *words,
        job,
    ]


def _classes(metrics: Mapping[str, Any]) -> list[Figure]:
    for channel in ("validation", "train"):
        if metrics.get(channel):
            return class_measures.figures(channel, metrics[channel])
    return []


def _quantisation(metrics: Mapping[str, Any]) -> list[Figure]:
    found = metrics.get("quantisation") or {}
    if "loss" not in found:
        return []
    rows = [
        (f"Accuracy on {found['dataset']} before", shown(found["accuracy_before"])),
        ("Accuracy of the smaller model", shown(found["accuracy"])),
        ("Rows kept", shown(found["rows"])),
        ("Bytes of model.ftz", shown(found["bytes"])),
    ]
    return [Facts("Quantisation", rows)]


def _headline(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("Words", shown(metrics["words"]))]
    for channel in ("train", "validation"):
        found = metrics.get(channel)
        if found:
            rows.append((f"Accuracy on {channel}, {shown(found['lines'])} lines", shown(found["accuracy"])))
    if metrics.get("evaluation"):
        rows.append(("Mean rank correlation (WS-353)", shown(metrics["evaluation"]["mean_rho"])))
    return [
        *rows,
        ("Epochs", shown(metrics["epochs"])),
        ("Seconds of training", shown(metrics["seconds"])),
        ("Million words a second in training", shown(metrics["million_words_per_second"])),
        *_predicting(metrics),
    ]


def _predicting(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = metrics.get("predicting")
    return [] if not found else [("Lines a second in predicting", shown(round(found["lines_per_second"])))]


def _learning(metrics: Mapping[str, Any]) -> list[Figure]:
    accuracies = metrics.get("validation_accuracy_by_epoch") or {}
    if len(accuracies) < 2:
        return []
    x, y = [float(epoch) for epoch in accuracies], list(accuracies.values())
    best = metrics["best_epoch"]
    return [
        LineChart(
            title="Accuracy by epoch",
            caption="Accuracy on the validation channel from the first epoch that early stopping looked at; the model "
            f"has the weights of epoch {best}.",
            alt=f"A line from {shown(y[0])} to {shown(y[-1])}, highest at epoch {best}",
            x_label="Epoch",
            y_label="Accuracy",
            lines=[Line("validation", x, y)],
            marks=[Mark(f"epoch {best}", float(best), max(y))],
        )
    ]


def _similarity(metrics: Mapping[str, Any]) -> list[Figure]:
    found = metrics.get("evaluation") or {}
    rows = [
        (
            name,
            f"{shown(facts['spearmans_rho'])} over {facts['total_pairs'] - facts['not_found']} of "
            f"{facts['total_pairs']} pairs",
        )
        for name, facts in found.items()
        if isinstance(facts, Mapping)
    ]
    return [Facts("Similarity of words: rank correlation with people's judgement", rows)] if rows else []
