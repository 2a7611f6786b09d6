"""How training went, epoch by epoch, and its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagedock.figures import Figure, Line, LineChart, Mark, Section, shown


@dataclass(frozen=True)
class Epoch:
    """What one showed: mean loss, accuracies, the learning rate of its first update; None is what was not measured."""

    loss: float
    accuracy: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    top_k_accuracy: float | None = None


def measures(epochs: Sequence[Epoch]) -> dict[str, Any]:
    """The values by epoch, as JSON values; None is what is no number."""
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy", "top_k_accuracy", "learning_rate", "seconds")
    found = {name: [_number(getattr(epoch, name)) for epoch in epochs] for name in names}
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def figures(found: Mapping[str, Any], best: int) -> list[Figure]:
    """Curves from what `measures` gave, with epoch `best` marked; nothing of a single epoch."""
    charts = [
        _chart("Accuracy", "accuracy", found, ("accuracy", "validation_accuracy", "top_k_accuracy"), best),
        _chart("Loss", "loss", found, ("loss", "validation_loss"), None),
        _chart("Learning rate", "learning rate", found, ("learning_rate",), None),
    ]
    drawn = [chart for chart in charts if chart is not None]
    text = f"By epoch, counted from 0 as in the log. The model is that of epoch {best}."
    return [Section("Learning", text), *drawn] if drawn else []


_NAMES = {
    "loss": "training",
    "accuracy": "training",
    "validation_loss": "validation",
    "validation_accuracy": "validation",
    "top_k_accuracy": "training, top k",
    "learning_rate": "learning rate",
}
_CAPTIONS = {
    "Accuracy": "Training pictures are judged while the network learns from them, as augmented; validation pictures at "
    "the epoch's end.",
    "Loss": "The mean cross-entropy of a picture.",
    "Learning rate": "That of the epoch's first update.",
}


def _chart(
    title: str, label: str, found: Mapping[str, Any], names: Sequence[str], best: int | None
) -> LineChart | None:
    lines = []
    for name in names:
        known = [(epoch, value) for epoch, value in enumerate(found.get(name, ())) if value is not None]
        if len(known) > 1:
            lines.append(Line(_NAMES[name], [float(epoch) for epoch, _ in known], [value for _, value in known]))
    if not lines:
        return None
    marks = [Mark(f"epoch {best}, the model", x, y) for x, y in _points(found, best)]
    ends = "; ".join(f"{line.name} from {shown(line.y[0])} to {shown(line.y[-1])}" for line in lines)
    return LineChart(
        title=title,
        caption=_CAPTIONS[title],
        alt=f"Curves by epoch: {ends}.",
        x_label="epoch",
        y_label=label,
        lines=lines,
        marks=marks,
        y_from_zero=title != "Accuracy",
    )


def _points(found: Mapping[str, Any], best: int | None) -> list[tuple[float, float]]:
    accuracies = found.get("validation_accuracy", [])
    known = best is not None and best < len(accuracies) and accuracies[best] is not None
    return [(float(best), accuracies[best])] if best is not None and known else []
