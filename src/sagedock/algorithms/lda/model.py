"""A topic model that answers requests with mixtures of topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sagedock.algorithms.lda import artefact
from sagedock.algorithms.lda.inference import Topics
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import Manifest
from sagedock.errors import ModelError
from sagedock.topics import measures, vocabulary
from sagedock.topics.documents import Documents, Floats
from sagedock.topics.model import TopicModel
from sagedock.topics.summary import Summary


@dataclass(frozen=True)
class LdaModel(TopicModel):
    """Topics with a prior `alpha` (topics,) and probabilities of words `beta` (topics, words).

    `facts` are what the manifest says beside the sizes; `summary` is there when the model was just trained.
    """

    answer_key: ClassVar[str] = "topic_mixture"
    seconds_a_document: ClassVar[float] = 40e-6

    alpha: Floats
    beta: Floats
    topics: Topics
    facts: Mapping[str, Any] = field(default_factory=dict)
    summary: Summary | None = None

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
        return cls(beta.shape[1], top, words, alpha, beta, Topics.of(alpha, beta), facts or {}, summary)

    @property
    def memory_bytes(self) -> int:
        """What the topics take, once as they are stored and once as they are asked."""
        return self.beta.nbytes + self.topics.words.nbytes

    def mixtures(self, documents: Documents) -> Floats:
        """(documents, topics) shares of each topic."""
        return self.topics.mixtures(documents)

    def save(self, directory: Path) -> Sequence[str]:
        """Write the arrays, the vocabulary where there is one, and what there is to tell of the topics."""
        names = list(artefact.write(directory, self.alpha, self.beta))
        if self.vocabulary is not None:
            names.append(self.vocabulary.write(directory))
        if self.summary is not None:
            names.append(self.summary.write(directory))
        return names

    def describe(self) -> Mapping[str, Any]:
        """The sizes of the model, and the facts."""
        return {"feature_count": self.feature_dim, "num_topics": len(self.alpha), **self.facts}


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> LdaModel:
    """The model in `directory`; raises ModelError."""
    file = directory / artefact.NAME
    if not file.is_file():
        raise ModelError(f"the model directory {directory} holds no file {artefact.NAME}: deploy the model's archive")
    alpha, beta = artefact.read(file)
    if manifest is not None and manifest.feature_count not in {None, beta.shape[1]}:
        raise ModelError(
            f"{file} has {beta.shape[1]} words, and its manifest says {manifest.feature_count}: deploy the model's "
            "archive again"
        )
    facts = dict(manifest.model) if manifest else {}
    return LdaModel.of(alpha, beta, vocabulary.read(directory, beta.shape[1]), facts)
