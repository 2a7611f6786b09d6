"""What the models of both topic algorithms have in common: reading requests, and answering with mixtures of topics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sagedock import core
from sagedock.contracts.manifest import Manifest
from sagedock.errors import ModelError
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, RECORDIO, MediaType
from sagedock.formats.objects import Objects
from sagedock.formats.table import Predictions
from sagedock.topics import direct, requests
from sagedock.topics.documents import Documents, Floats, Ints
from sagedock.topics.requests import Request
from sagedock.topics.summary import Summary
from sagedock.topics.vocabulary import Vocabulary

RESPONSE_TYPES = (JSON, JSON_LINES, RECORDIO, CSV)
_JSON_KEY = "predictions"
_IN_LINE_SECONDS = 0.005
"""Other requests of the worker, /ping among them, may wait for one answer so long."""
_SHORT_DOCUMENT = 50
"""Bytes of one in JSON that has few words."""


@dataclass(frozen=True)
class TopicModel(ABC):
    """A topic model in memory (`sagedock.algorithm.Model`); what learns topics supplies what is abstract here."""

    answer_key: ClassVar[str]
    """What an answer calls a mixture: topic_weights or topic_mixture."""
    seconds_a_document: ClassVar[float] = 50e-6
    """What the mixture of one document of some fifty words takes, about."""

    feature_dim: int
    """Words of the vocabulary."""
    top_words: Ints
    """(topics, n) the highest words of each topic, best first."""
    vocabulary: Vocabulary | None
    """The words, where they are known."""
    facts: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    """What the manifest says beside the sizes."""
    summary: Summary | None = field(default=None, kw_only=True)
    """What there is to tell of the topics when the model was just trained."""

    @property
    @abstractmethod
    def memory_bytes(self) -> int:
        """What the model takes in memory, about."""

    @abstractmethod
    def mixtures(self, documents: Documents) -> Floats:
        """(documents, topics) shares of each topic, 0 or more, 1 in sum; one document's do not depend on the others."""

    @abstractmethod
    def write(self, directory: Path) -> Sequence[str]:
        """Write the arrays, each file whole or not at all; their names."""

    def save(self, directory: Path) -> Sequence[str]:
        """Write the arrays, the vocabulary where there is one, and what there is to tell of the topics."""
        names = list(self.write(directory))
        if self.vocabulary is not None:
            names.append(self.vocabulary.write(directory))
        if self.summary is not None:
            names.append(self.summary.write(directory))
        return names

    def describe(self) -> Mapping[str, Any]:
        """The sizes of the model, and the facts."""
        return {"feature_count": self.feature_dim, "num_topics": len(self.top_words), **self.facts}

    @property
    def in_line_bytes(self) -> int:
        """Bodies up to this size are answered in a few milliseconds; one dense document is always among them."""
        if core.native is None:
            return 0
        return max(int(_IN_LINE_SECONDS / self.seconds_a_document) * _SHORT_DOCUMENT, 2 * self.feature_dim)

    def read(self, body: bytes, media_type: MediaType) -> Request:
        """The documents of a request."""
        return requests.read(body, media_type, self.feature_dim, self.vocabulary)

    def predict(self, records: Request) -> Predictions | Objects:
        """The mixture of each document; where a request wants words, JSON objects that name those of each topic."""
        mixtures = self.mixtures(records.documents)
        if records.verbose:
            return Objects(
                [self._answer(mixture, wordy) for mixture, wordy in zip(mixtures, records.verbose, strict=True)],
                json_key=_JSON_KEY,
            )
        return Predictions({self.answer_key: mixtures}, json_key=_JSON_KEY, identities=records.identities)

    def direct(self, request_type: str, response_type: str) -> Callable[[bytes], bytes | None] | None:
        """From the bytes of a plain request to those of its answer (`sagedock.algorithm.DirectAnswers`)."""
        types = request_type, response_type
        if types not in self._ways:
            way = direct.way(self.mixtures, self.feature_dim, self.answer_key, request_type, response_type)
            if way is None:  # of types without end, which are not kept
                return None
            self._ways[types] = way
        return self._ways[types]

    def example(self) -> tuple[bytes, str]:
        """A document of one word."""
        return b'{"features":{"keys":[0],"shape":[%d],"values":[1]}}' % self.feature_dim, JSON_LINES

    def named(self, topic: int) -> list[str] | list[int]:
        """The top words of a topic, or their ids where there is no vocabulary."""
        ids: list[int] = self.top_words[topic].tolist()
        return ids if self.vocabulary is None else [self.vocabulary.words[word] for word in ids]

    def _answer(self, mixture: Floats, wordy: bool) -> dict[str, Any]:
        answer: dict[str, Any] = {self.answer_key: mixture.tolist()}
        if wordy:
            best = np.argsort(-mixture, kind="stable").tolist()
            answer["topics"] = [
                {"topic": topic, "weight": answer[self.answer_key][topic], "words": self._names[topic]}
                for topic in best
            ]
        return answer

    @cached_property
    def _names(self) -> list[list[str] | list[int]]:
        return [self.named(topic) for topic in range(len(self.top_words))]

    @cached_property
    def _ways(self) -> dict[tuple[str, str], Callable[[bytes], bytes | None]]:
        """Those found by `direct`, kept for the next request."""
        return {}


def artefact_in(directory: Path, name: str) -> Path:
    """The file of a model's arrays; raises ModelError where there is none."""
    file = directory / name
    if not file.is_file():
        raise ModelError(f"the model directory {directory} holds no file {name}: deploy the model's archive")
    return file


def require_words(file: Path, words: int, manifest: Manifest | None) -> None:
    """Raise ModelError where the manifest says another number of words than the arrays in `file` have."""
    if manifest is not None and manifest.feature_count not in {None, words}:
        raise ModelError(
            f"{file} has {words} words, and its manifest says {manifest.feature_count}: deploy the model's archive "
            "again"
        )
