"""What training lowers: the cross-entropy of one class a picture, or of each class by itself (multi_label)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

log = logging.getLogger(__name__)

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_NAMED = 10
"""Classes that a warning names."""


def build(*, multi_label: bool, positive_weights: NDArray[np.float32] | None = None) -> Loss:
    """From logits (n, classes) and labels, int64 (n,) or float32 (n, classes), to the mean loss, a scalar.

    `positive_weights` (classes,) are what a label of 1 counts for, with multi_label (use_weighted_loss).
    """
    if not multi_label:
        return _softmax
    weights = None if positive_weights is None else torch.from_numpy(np.array(positive_weights, np.float32))

    def sigmoid(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        chosen = None if weights is None else weights.to(logits.device)
        return functional.binary_cross_entropy_with_logits(logits.float(), labels, pos_weight=chosen)

    return sigmoid


def probabilities(logits: torch.Tensor, *, multi_label: bool) -> torch.Tensor:
    """(n, classes) of logits of that shape: they sum to 1, unless each class is asked for by itself."""
    return torch.sigmoid(logits.float()) if multi_label else torch.softmax(logits.float(), 1)


def positive_weights(counts: NDArray[Any], pictures: int, names: Sequence[str] | None = None) -> NDArray[np.float32]:
    """Negatives divided by positives of each class, of the `counts` (classes,) of its labels in so many pictures.

    A class that all or none of them have gets 1, and a warning: it cannot be learnt.
    """
    known = (counts > 0) & (counts < pictures)
    found = np.ones(len(counts), np.float32)
    found[known] = (pictures - counts[known]) / counts[known]
    for place, text in ((counts == 0, "has none"), (counts >= pictures, "has nothing but")):
        if place.any():
            chosen = [str(number) if names is None else names[number] for number in np.flatnonzero(place).tolist()]
            more = ", ..." if len(chosen) > _NAMED else ""
            log.warning(
                "the train channel %s of %d classes (%s%s): use_weighted_loss leaves them at weight 1",
                text,
                len(chosen),
                ", ".join(chosen[:_NAMED]),
                more,
            )
    return found


def _softmax(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits.float(), labels)
