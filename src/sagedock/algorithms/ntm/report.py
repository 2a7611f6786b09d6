"""What metrics.json holds of a neural topic model, and the figures of its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sagedock.algorithms.ntm.epochs import Epochs
from sagedock.algorithms.ntm.model import NtmModel
from sagedock.algorithms.ntm.trainer import Loss
from sagedock.figures import Facts, Figure, shown
from sagedock.topics import report
from sagedock.topics.data import Data
from sagedock.topics.documents import Floats
from sagedock.topics.summary import Summary


def made(
    model: NtmModel, summary: Summary, topics: Floats, data: Data, epochs: Epochs, loss: Loss, tested: Loss | None
) -> tuple[Mapping[str, Any], Sequence[Figure]]:
    """Metrics (JSON values) and figures; `topics` (topics, words) are distributions, `loss` is the model's own."""
    metrics: dict[str, Any] = report.found(summary, topics, data, model.mixtures)
    metrics |= {
        "documents": data.train.rows,
        "tokens": data.train.tokens,
        "words": data.feature_dim,
        "network": model.facts["network"],
        "epochs": epochs.done,
        "best_epoch": epochs.stopping.best_epoch,
        "loss": loss.total,
        "train_losses": [each.total for each in epochs.training],
        "validation_losses": [each.total for each in epochs.validations],
    }
    if tested is not None:
        metrics["test_loss"] = tested.total
    return metrics, figures(metrics)


def figures(metrics: Mapping[str, Any]) -> list[Figure]:
    """The report in reading order."""
    curves = report.losses(metrics["train_losses"], metrics["validation_losses"], metrics["best_epoch"])
    name = "Validation loss a word" if metrics["validation_losses"] else "Training loss a word"
    headline = [(name, shown(metrics["loss"]))]
    if "test_loss" in metrics:
        headline.append(("Test loss a word", shown(metrics["test_loss"])))
    return report.figures(metrics, headline, curves, [_job(metrics)])


def _job(metrics: Mapping[str, Any]) -> Facts:
    return Facts(
        "Job",
        [
            ("Network", metrics["network"]),
            ("Epochs", shown(metrics["epochs"])),
            ("Best epoch", shown(metrics["best_epoch"])),
            ("Documents", shown(metrics["documents"])),
            ("Words in them", shown(metrics["tokens"])),
            ("Vocabulary", shown(metrics["words"])),
        ],
    )
