"""What is told of finished topics: their top words and how good they are, in topics.json, metrics and the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from sagedock.contracts.files import write_bytes
from sagedock.topics import measures
from sagedock.topics.documents import Documents, Floats, Ints
from sagedock.topics.measures import Scores
from sagedock.topics.vocabulary import Vocabulary

ARTEFACT = "topics.json"


@dataclass(frozen=True)
class Summary:
    """Of each topic: its top words (topics, n), best first, their probabilities, and scores (topics,).

    `uniqueness` and `wetc` are of the top n words, `npmi` is of the first ten, in the documents of training. `words`
    are those of the vocabulary, where they are known.
    """

    top: Ints
    probabilities: Floats
    uniqueness: Scores
    npmi: Scores
    wetc: Scores | None = None
    words: Sequence[str] | None = None

    @classmethod
    def of(
        cls, probabilities: NDArray[Any], documents: Documents, vocabulary: Vocabulary | None, vectors: Floats | None
    ) -> Summary:
        """That of topics with these probabilities of words (topics, words); `vectors` (words, dimensions) make WETC."""
        top = measures.top_words(probabilities, measures.PRINTED)
        return cls(
            top,
            np.take_along_axis(np.asarray(probabilities, np.float32), top, axis=1),
            measures.uniqueness(top),
            measures.npmi(top[:, : measures.SCORED], documents),
            None if vectors is None or vocabulary is None else measures.embedding_coherence(top, vectors),
            None if vocabulary is None else vocabulary.words,
        )

    @property
    def topics(self) -> int:
        """How many."""
        return len(self.top)

    def named(self, topic: int) -> list[str]:
        """The top words of a topic, or their indices as text where there is no vocabulary."""
        return [str(word) if self.words is None else self.words[word] for word in self.top[topic].tolist()]

    def means(self) -> dict[str, float]:
        """The mean score over topics by name: uniqueness, npmi and, where there were vectors, wetc."""
        return {name: float(scores.mean()) for name, scores in self._scores().items()}

    def json(self) -> dict[str, Any]:
        """What topics.json holds."""
        return {**self.means(), "topics": [self._topic(topic) for topic in range(self.topics)]}

    def write(self, directory: Path) -> str:
        """Write ARTEFACT, and return its name."""
        write_bytes(directory / ARTEFACT, orjson.dumps(self.json(), option=orjson.OPT_INDENT_2))
        return ARTEFACT

    def log_lines(self) -> list[str]:
        """The block that the built-in logs of its finished topics: a head, then a line of words for each topic.

        Without a vocabulary the words are indices. What WETC would be is left out where there are no word vectors.
        """
        means, scores = self.means(), self._scores()
        wetc = f"wetc {means['wetc']:.2f}" if self.wetc is not None else ""
        lines = [f"Topics from epoch:final (num_topics:{self.topics}) [{wetc}, tu {means['uniqueness']:.2f}]:"]
        for topic in range(self.topics):
            closeness = f"{scores['wetc'][topic]:.2f}" if self.wetc is not None else ""
            prefix = "" if self.words is None else f"[{closeness}, {self.uniqueness[topic]:.2f}] "
            lines.append(prefix + " ".join(self.named(topic)))
        return lines

    def _scores(self) -> dict[str, Scores]:
        found = {"uniqueness": self.uniqueness, "npmi": self.npmi}
        return found if self.wetc is None else {**found, "wetc": self.wetc}

    def _topic(self, topic: int) -> dict[str, Any]:
        scores = {name: float(values[topic]) for name, values in self._scores().items()}
        words = zip(self.top[topic].tolist(), self.named(topic), self.probabilities[topic].tolist(), strict=True)
        named = [{"index": index, "word": word, "probability": share} for index, word, share in words]
        if self.words is None:
            named = [{"index": one["index"], "probability": one["probability"]} for one in named]
        return {"topic": topic, **scores, "words": named}
