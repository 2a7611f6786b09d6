"""The pictures that a report shows: the worst mistakes, and those for which it tells what mattered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import thumbnails
from sagedock.algorithms.image_classification.judgement import HALF, Judgement, percent
from sagedock.figures import Figure, Gallery, Picture, Section, shown

Pictures: TypeAlias = Callable[[Collection[int]], Mapping[int, NDArray[np.uint8]]]
"""From rows of a Judgement to their pictures (C, H, W), as the network saw them; it may leave out some."""
Explain: TypeAlias = Callable[[NDArray[np.uint8], Sequence[int]], NDArray[np.float32]]
"""From pictures (n, C, H, W) and a class for each to how much each pixel speaks for it, (n, H, W), 0 for not at all."""

MISTAKES, EXPLAINED = 24, 6


@dataclass(frozen=True)
class Told:
    """What was told of a picture: the class with the worst error, or the told class where there is none.

    `truth` is in words; `probability` is that of class `told`.
    """

    row: int
    wrong: bool
    told: int
    probability: float
    truth: str
    words: str


def worst(judgement: Judgement, most: int = MISTAKES) -> list[Told]:
    """The surest mistakes, the surest first; fewer where there are fewer."""
    errors = _errors(judgement)
    rows = np.argsort(-errors, kind="stable")[:most]
    return [_told(judgement, int(row)) for row in rows if errors[row] > 0]


def chosen(judgement: Judgement, mistakes: Sequence[Told], most: int = EXPLAINED) -> list[Told]:
    """Some mistakes and some right answers, the surest of different classes."""
    right = np.flatnonzero(_errors(judgement) == 0)
    sure = judgement.probabilities[right].max(axis=1) if len(right) else np.zeros(0)
    several: dict[int, int] = {}
    for row in right[np.argsort(-sure, kind="stable")].tolist():
        several.setdefault(int(judgement.told[row]), row)
        if len(several) == most:
            break
    found = [_told(judgement, row) for row in several.values()]
    half = max(most // 2, most - len(found))
    return [*mistakes[:half], *found][:most]


def _errors(judgement: Judgement) -> NDArray[np.float32]:
    """How sure the worst wrong thing is that was told of each picture, 0 where all is right."""
    if judgement.multi_label:
        wrong = judgement.decisions != judgement.truths
        return np.asarray((np.abs(judgement.probabilities - judgement.truths) * wrong).max(axis=1))
    wrong = judgement.told != judgement.labels
    return np.asarray(judgement.probabilities.max(axis=1) * wrong)


def _told(judgement: Judgement, row: int) -> Told:
    return _told_of_several(judgement, row) if judgement.multi_label else _told_of_one(judgement, row)


def _told_of_one(judgement: Judgement, row: int) -> Told:
    names, told, label = judgement.class_names, int(judgement.told[row]), int(judgement.labels[row])
    sure = judgement.probabilities[row]
    words = f"{names[told]}, {percent(float(sure[told]))}"
    truth = names[label] if told == label else f"{names[label]}, {percent(float(sure[label]))}"
    return Told(row, told != label, told, float(sure[told]), truth, words)


def _told_of_several(judgement: Judgement, row: int) -> Told:
    names, sure, truths = judgement.class_names, judgement.probabilities[row], judgement.truths[row]
    wrong = judgement.decisions[row] != truths
    told = int((np.abs(sure - truths) * wrong).argmax()) if wrong.any() else int(sure.argmax())
    present = [name for name, true in zip(names, truths.tolist(), strict=True) if true]
    truth = ", ".join(present[:4]) + (f" and {len(present) - 4} more" if len(present) > 4 else "") or "none"
    how = "told" if sure[told] > HALF else "missed"
    words = f"{names[told]} {how}, {percent(float(sure[told]))}"
    return Told(row, bool(wrong.any()), told, float(sure[told]), truth, words)


def figures(judgement: Judgement, pictures: Pictures | None, explain: Explain | None, method: str) -> list[Figure]:
    """The galleries of mistakes and of what mattered, which `method` names; nothing where there are no pictures."""
    wrong = worst(judgement)
    explained = chosen(judgement, wrong) if explain is not None else []
    numbers = sorted({each.row for each in [*wrong, *explained]})
    found = pictures(numbers) if pictures is not None and numbers else {}
    wrong, explained = ([each for each in part if each.row in found] for part in (wrong, explained))
    return [*_mistakes(judgement, wrong, found), *_reasons(judgement, explained, found, explain, method)]


def _mistakes(judgement: Judgement, wrong: Sequence[Told], found: Mapping[int, NDArray[np.uint8]]) -> list[Figure]:
    if not wrong:
        return []
    total = shown(int((_errors(judgement) > 0).sum()))
    text = f"Pictures of the validation channel of which the model was surest and wrong; {total} were wrong in all."
    return [
        Section("Worst mistakes", text),
        Gallery(
            title="Told and true",
            caption="As the network saw them, with the probability of the told class, and of the true one."
            if not judgement.multi_label
            else "As the network saw them: the class with the worst error, its probability, and the picture's classes.",
            alt=f"{shown(len(wrong))} pictures with what was told of them and what they are.",
            pictures=[_picture(judgement, each, [thumbnails.uri(found[each.row])]) for each in wrong],
        ),
    ]


def _picture(judgement: Judgement, each: Told, sources: Sequence[str]) -> Picture:
    return Picture(
        sources=sources,
        alt=f"Told: {each.words}. True: {each.truth}.",
        rows=[("told", each.words), ("true", each.truth)],
        note=judgement.places[each.row],
        mark="wrong" if each.wrong else "right",
    )


def _reasons(
    judgement: Judgement,
    explained: Sequence[Told],
    found: Mapping[int, NDArray[np.uint8]],
    explain: Explain | None,
    method: str,
) -> list[Figure]:
    if explain is None or not explained:
        return []
    stacked = np.stack([found[each.row] for each in explained])
    maps = explain(stacked, [each.told for each in explained])
    drawn = [
        _picture(judgement, each, [thumbnails.uri(picture), thumbnails.uri(thumbnails.overlaid(picture, heat))])
        for each, picture, heat in zip(explained, stacked, maps, strict=True)
    ]
    return [
        Section("What it looked at", "The surest mistakes, then the surest right answers of different classes."),
        Gallery(
            title="Where the told class comes from",
            caption=f"On the right, the lighter a place, the more it speaks for the class that was told. {method}",
            alt=f"{shown(len(drawn))} pictures, each beside a map of what spoke for the told class.",
            pictures=drawn,
        ),
    ]


def as_json(judgement: Judgement, wrong: Sequence[Told]) -> list[dict[str, Any]]:
    """The mistakes as JSON values, for metrics.json."""
    return [
        {
            "place": judgement.places[each.row],
            "told": judgement.class_names[each.told],
            "probability": each.probability,
            "true": each.truth,
        }
        for each in wrong
    ]
