"""The report of a topic model: its topics as bars and on a map, how good they are, and documents that typify them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.figures import (
    Facts,
    Figure,
    Grid,
    Line,
    LineChart,
    MapChart,
    Mark,
    Points,
    Ranking,
    RankingChart,
    Section,
    shown,
)
from sagedock.topics import topic_map
from sagedock.topics.data import Data
from sagedock.topics.documents import Documents, Floats
from sagedock.topics.summary import Summary

JSON = dict[str, Any]
SHOWN = 60
"""Topics of a report, the largest ones; topics.json has all."""
WORDS = 10
TYPICAL = 2
"""Documents told of each topic."""
LONG_ENOUGH = 10
"""Words of a document that may typify a topic, where there are such: a short one is of one topic by chance."""
_NAMING = 2
_OUTLYING = 3
"""Losses above so many times the median would flatten the curve to a line."""


def found(summary: Summary, probabilities: NDArray[Any], data: Data, mixtures: Callable[[Documents], Floats]) -> JSON:
    """What metrics.json holds of topics with these probabilities (topics, words), largest topic first, as JSON values.

    `mixtures` are the model's own, for some of the documents of training.
    """
    rows = data.sampled()
    documents = data.train.take(rows)
    weights = mixtures(documents)
    sizes = documents.lengths @ weights / max(float(documents.lengths.sum()), 1.0)
    order = np.argsort(-sizes, kind="stable")[:SHOWN]
    places, told = topic_map.places(topic_map.distances(probabilities[order]))
    typical = _Typical(rows, documents, weights, data)
    whole = summary.json()["topics"]
    topics = [
        {
            **{name: whole[topic][name] for name in ("topic", "npmi", "uniqueness", "wetc") if name in whole[topic]},
            "size": float(sizes[topic]),
            "x": float(x),
            "y": float(y),
            "words": summary.named(topic)[:WORDS],
            "probabilities": summary.probabilities[topic][:WORDS].tolist(),
            "documents": typical.of(topic),
        }
        for topic, (x, y) in zip(order.tolist(), places, strict=True)
    ]
    return {**summary.means(), "topics": topics, "num_topics": summary.topics, "map_shares": told.tolist(),
            "documents_sampled": len(rows)}  # fmt: skip


class _Typical:
    """Finds the documents that are most of one topic, among some."""

    def __init__(self, rows: NDArray[np.int64], documents: Documents, weights: Floats, data: Data) -> None:
        self._rows, self._documents, self._weights = rows, documents, weights
        self._vocabulary = data.vocabulary
        self._texts = None if data.excerpts is None else data.excerpts.texts
        long_enough = np.flatnonzero(documents.lengths >= LONG_ENOUGH)
        self._candidates = long_enough if len(long_enough) else np.flatnonzero(documents.lengths > 0)

    def of(self, topic: int) -> list[JSON]:
        """Different ones, the purest first, of equals the longest."""
        weights, lengths = self._weights[self._candidates, topic], self._documents.lengths[self._candidates]
        best: list[JSON] = []
        for place in self._candidates[np.lexsort((-lengths, -weights))[: 8 * TYPICAL]].tolist():
            text = self._text(place)
            if all(text != one["text"] for one in best):
                share = float(self._weights[place, topic])
                best.append({"row": int(self._rows[place]) + 1, "share": share, "text": text})
            if len(best) == TYPICAL:
                break
        return best

    def _text(self, place: int) -> str:
        """How the document begins; where that is not known, its most frequent words."""
        if self._texts is not None:
            return self._texts[place]
        one = self._documents.part(place, place + 1)
        top = one.words[np.argsort(-one.counts, kind="stable")[:WORDS]].tolist()
        names = [str(word) if self._vocabulary is None else self._vocabulary.words[word] for word in top]
        return ", ".join(names)


def figures(
    metrics: Mapping[str, Any], headline: Sequence[tuple[str, str]], curves: Sequence[LineChart], job: Sequence[Facts]
) -> list[Figure]:
    """The report in reading order: `metrics` are what `found` gave, `headline` and `job` the algorithm's own facts."""
    topics = metrics["topics"]
    return [
        Facts("Result", [*headline, *_scores(metrics)], kind="headline"),
        Section("Topics"),
        _rankings(metrics),
        *_map(metrics),
        Section("How good they are", _explained(topics)),
        _table(topics),
        Section(
            "Documents that typify them",
            f"Those of training with the largest share of the topic, among {shown(metrics['documents_sampled'])}.",
        ),
        _documents(topics),
        *_training(curves),
        *job,
    ]


def _training(curves: Sequence[LineChart]) -> list[Figure]:
    return [Section("Training"), *curves] if curves else []


def losses(training: Sequence[float], validation: Sequence[float], best_epoch: int | None) -> list[LineChart]:
    """The losses a word by epoch, from 1, of a network; fewer than two epochs make no curve."""
    if len(training) < 2:
        return []
    epochs = [float(epoch) for epoch in range(1, len(training) + 1)]
    judged = validation or training
    highest = _OUTLYING * float(np.median([*training, *validation]))
    curves = {"train": training, "validation": validation}
    lines = [
        Line(name, epochs[: len(y)], [v if v <= highest else math.nan for v in y]) for name, y in curves.items() if y
    ]
    left_out = sum(value > highest for value in [*training, *validation])
    marks = []
    if best_epoch is not None and 1 <= best_epoch <= len(judged):
        marks = [Mark(f"epoch {best_epoch}", float(best_epoch), judged[best_epoch - 1])]
    return [
        LineChart(
            title="Loss by epoch",
            caption="What a word costs, in nats: how badly it is foretold, and what the topics of its document take. "
            "Training is measured with noise while the network learns, validation after the epoch without."
            + (f" The model is that of epoch {best_epoch}." if marks else "")
            + (f" {left_out} losses above {shown(highest)} are not drawn." if left_out else ""),
            alt=f"Curves of loss from {shown(judged[0])} to {shown(judged[-1])} over {len(training)} epochs.",
            x_label="Epoch",
            y_label="Loss a word",
            lines=lines,
            marks=marks,
        )
    ]


def likelihood(passes: Sequence[float], values: Sequence[float]) -> list[LineChart]:
    """The log-likelihood a word after each of some passes over the documents."""
    if len(values) < 2:
        return []
    return [
        LineChart(
            title="Log-likelihood by pass",
            caption="How well the topics explain the documents they are learnt from, in nats a word; when it no longer "
            "rises, more passes are of little use.",
            alt=f"A curve from {shown(values[0])} to {shown(values[-1])} over {shown(passes[-1])} passes.",
            x_label="Pass over the documents",
            y_label="Log-likelihood a word",
            lines=[Line("train", passes, values)],
        )
    ]


def _scores(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {"npmi": "Coherence (NPMI)", "uniqueness": "Uniqueness", "wetc": "Closeness of words (WETC)"}
    return [("Topics", shown(metrics["num_topics"])), *((names[n], shown(metrics[n])) for n in names if n in metrics)]


def _named(topic: Mapping[str, Any]) -> str:
    return f"Topic {topic['topic']}"


def _rankings(metrics: Mapping[str, Any]) -> RankingChart:
    topics = metrics["topics"]
    rest = metrics["num_topics"] - len(topics)
    rankings = [
        Ranking(
            _named(topic),
            f"{100 * topic['size']:.1f} % of the words",
            topic["words"],
            topic["probabilities"],
        )
        for topic in topics
    ]
    return RankingChart(
        title="Their words",
        caption="The most probable words of each topic, the largest topic first; bars compare words within a topic. "
        "Topics are numbered from 0, as in the model's answers."
        + (f" {rest:,} smaller topics are in topics.json." if rest else ""),
        alt=f"Bars of the top words of {len(topics)} topics.",
        rankings=rankings,
    )


def _map(metrics: Mapping[str, Any]) -> list[Figure]:
    topics = metrics["topics"]
    if len(topics) < 3:
        return []
    told = 100 * sum(metrics["map_shares"])
    return [
        MapChart(
            title="Map of topics",
            caption="Topics lie near one another when their words are alike (Jensen-Shannon distances, scaled), "
            f"as far as two directions tell: {told:.0f} % of how they differ. Areas are shares of all words.",
            alt=f"Map of {len(topics)} topics as circles by how alike their words are.",
            x_label="first direction",
            y_label="second direction",
            groups=[
                Points(
                    "topics",
                    [topic["x"] for topic in topics],
                    [topic["y"] for topic in topics],
                    [f"{topic['topic']} {' '.join(topic['words'][:_NAMING])}" for topic in topics],
                    [topic["size"] for topic in topics],
                )
            ],
        )
    ]


def _explained(topics: Sequence[Mapping[str, Any]]) -> str:
    wetc = " WETC: how near the vectors of these words are." if topics and "wetc" in topics[0] else ""
    return (
        "Coherence (NPMI, from -1 to 1): whether the ten top words of a topic stand in the same documents. Uniqueness "
        f"(up to 1): whether its twenty are its own.{wetc}"
    )


def _table(topics: Sequence[Mapping[str, Any]]) -> Grid:
    closeness = ["WETC"] if topics and "wetc" in topics[0] else []
    rows = [
        [
            _named(topic),
            f"{100 * topic['size']:.1f} %",
            f"{topic['npmi']:.3f}",
            f"{topic['uniqueness']:.3f}",
            *([f"{topic['wetc']:.3f}"] if closeness else []),
            ", ".join(topic["words"]),
        ]
        for topic in sorted(topics, key=lambda topic: -topic["npmi"])
    ]
    return Grid(
        title="Coherence and uniqueness",
        caption="The most coherent topic first; shares are those of all words.",
        columns=["Topic", "Share", "NPMI", "Uniqueness", *closeness, "Words"],
        rows=rows,
        texts=1,
    )


def _documents(topics: Sequence[Mapping[str, Any]]) -> Grid:
    rows = [
        [_named(topic), f"{100 * one['share']:.0f} %", f"{one['row']:,}", one["text"]]
        for topic in topics
        for one in topic["documents"]
    ]
    return Grid(
        title="Typical documents",
        caption="The share is that of the topic in the document. Numbers count from 1 the documents learnt from, "
        "without those that were left out.",
        columns=["Topic", "Share", "Number", "How it begins, or its words"],
        rows=rows,
        texts=1,
    )
