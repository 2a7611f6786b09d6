"""A map of frequent words: their vectors along the two directions in which they differ most, and who is near whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sagedock.algorithms.blazingtext.embedding import Embedding
from sagedock.algorithms.blazingtext.neighbours import Neighbourhood
from sagedock.algorithms.blazingtext.ngrams import END_OF_LINE
from sagedock.figures import Figure, Grid, MapChart, Points, Section, shown

ON_THE_MAP = 300
_NAMED = 12
_NEAR = 5


def of_embedding(embedding: Embedding) -> dict[str, Any]:
    """Places of the most frequent words by principal component analysis, and neighbours, as JSON values."""
    count = min(ON_THE_MAP, len(embedding.words))
    chosen = [number for number in range(count) if embedding.words[number] != END_OF_LINE]
    vectors = np.asarray(embedding.vectors(0, count), np.float64)[chosen]
    if len(chosen) < 3 or embedding.dim < 2 or not np.isfinite(vectors).all():
        return {}
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    shares = np.square(sizes) / max(float(np.square(sizes).sum()), np.finfo(float).tiny)
    names = [embedding.words[number].decode("utf-8", "replace") for number in chosen]
    return {
        "words": names,
        "x": (left[:, 0] * sizes[0]).tolist(),
        "y": (left[:, 1] * sizes[1]).tolist(),
        "shares": shares[:2].tolist(),
        "neighbours": _neighbours(embedding, chosen),
    }


def _neighbours(embedding: Embedding, chosen: Sequence[int]) -> dict[str, list[list[Any]]]:
    """Of some words, not the most frequent of all: who is nearest, and how near."""
    known = Neighbourhood(len(embedding.words), embedding.vectors)
    found = {}
    last = len(chosen) - 1
    for place in np.unique(np.linspace(min(last, len(chosen) // 3), last, _NAMED, dtype=int)).tolist():
        number = chosen[place]
        near = known.nearest(embedding.vector(embedding.words[number]), _NEAR, without=[number])
        names = [[embedding.words[each.word].decode("utf-8", "replace"), each.similarity] for each in near]
        found[embedding.words[number].decode("utf-8", "replace")] = names
    return found


def figures(found: Mapping[str, Any] | None) -> list[Figure]:
    """The map and the table of neighbours, from what `of_embedding` gave."""
    if not found:
        return []
    first, second = (f"{100 * share:.0f} % of the variance" for share in found["shares"])
    chart = MapChart(
        title="Map of frequent words",
        caption="The two directions in which these vectors differ most (principal components). Words lie near one "
        "another when their vectors agree in these two; what differs otherwise does not show.",
        alt=f"Map of {shown(len(found['words']))} words by the first two principal components of their vectors.",
        x_label=f"first principal component, {first}",
        y_label=f"second principal component, {second}",
        groups=[Points("words", found["x"], found["y"], found["words"])],
    )
    rows = [[word, *(f"{name} {value:.2f}" for name, value in near)] for word, near in found["neighbours"].items()]
    rows = [[*row, *[""] * (_NEAR + 1 - len(row))] for row in rows]
    caption = "The nearest words by the cosine of their vectors, which is 1 for the same direction; the nearest first."
    columns = ["Word", *(f"Neighbour {number}" for number in range(1, _NEAR + 1))]
    return [Section("Words"), chart, Grid("Neighbours", caption, columns, rows, texts=_NEAR)]
