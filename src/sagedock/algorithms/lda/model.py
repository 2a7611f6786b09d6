"""A topic model that answers requests with mixtures of topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sagedock.algorithms.lda import artefact
from sagedock.algorithms.lda.inference import Topics
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import Manifest
from sagedock.topics import measures, vocabulary
from sagedock.topics.documents import Documents, Floats
from sagedock.topics.model import TopicModel, artefact_in, require_words
from sagedock.topics.summary import Summary


@dataclass(frozen=True)
class LdaModel(TopicModel):
    """Topics with a prior `alpha` (topics,) and probabilities of words `beta` (topics, words)."""

    answer_key: ClassVar[str] = "topic_mixture"
    seconds_a_document: ClassVar[float] = 40e-6

    alpha: Floats
    beta: Floats
    topics: Topics

    @classmethod
    def of(
        cls,
        alpha: Floats,
        beta: Floats,
        words: vocabulary.Vocabulary | None,
        facts: Mapping[str, Any] | None = None,
        summary: Summary | None = None,
    ) -> LdaModel:
        """The model of these topics."""
        top = measures.top_words(beta, measures.SCORED)
        return cls(beta.shape[1], top, words, alpha, beta, Topics.of(alpha, beta), facts=facts or {}, summary=summary)

    @property
    def memory_bytes(self) -> int:
        """What the topics take, once as they are stored and once as they are asked."""
        return self.beta.nbytes + self.topics.words.nbytes

    def mixtures(self, documents: Documents) -> Floats:
        """(documents, topics) shares of each topic."""
        return self.topics.mixtures(documents)

    def write(self, directory: Path) -> Sequence[str]:
        """As `TopicModel` has it."""
        return artefact.write(directory, self.alpha, self.beta)


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> LdaModel:
    """The model in `directory`; raises ModelError."""
    file = artefact_in(directory, artefact.NAME)
    alpha, beta = artefact.read(file)
    require_words(file, beta.shape[1], manifest)
    facts = dict(manifest.model) if manifest else {}
    return LdaModel.of(alpha, beta, vocabulary.read(directory, beta.shape[1]), facts)
