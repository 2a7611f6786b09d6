"""A neural topic model that answers requests with weights of topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sagedock.algorithms.ntm import artefact
from sagedock.algorithms.ntm.artefact import Decoder
from sagedock.algorithms.ntm.encoder import Encoder
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import Manifest
from sagedock.errors import ModelError
from sagedock.topics import measures, vocabulary
from sagedock.topics.documents import Documents, Floats
from sagedock.topics.model import TopicModel
from sagedock.topics.summary import Summary


@dataclass(frozen=True)
class NtmModel(TopicModel):
    """An encoder that is asked, and the decoder whose columns are the topics.

    `facts` are what the manifest says beside the sizes; `summary` is there when the model was just trained.
    """

    answer_key: ClassVar[str] = "topic_weights"
    seconds_a_document: ClassVar[float] = 30e-6

    encoder: Encoder
    decoder: Decoder
    facts: Mapping[str, Any] = field(default_factory=dict)
    summary: Summary | None = None

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        decoder: Decoder,
        words: vocabulary.Vocabulary | None,
        facts: Mapping[str, Any] | None = None,
        summary: Summary | None = None,
    ) -> NtmModel:
        """The model of these parts."""
        top = measures.top_words(decoder.projection.T, measures.SCORED)
        return cls(len(decoder.projection), top, words, encoder, decoder, facts or {}, summary)

    @property
    def memory_bytes(self) -> int:
        """What the arrays take."""
        return self.encoder.memory_bytes + self.decoder.projection.nbytes

    def mixtures(self, documents: Documents) -> Floats:
        """(documents, topics) weights of each topic."""
        return self.encoder.mixtures(documents)

    def save(self, directory: Path) -> Sequence[str]:
        """Write the arrays, the vocabulary where there is one, and what there is to tell of the topics."""
        names = list(artefact.write(directory, self.encoder, self.decoder, self.describe()))
        if self.vocabulary is not None:
            names.append(self.vocabulary.write(directory))
        if self.summary is not None:
            names.append(self.summary.write(directory))
        return names

    def describe(self) -> Mapping[str, Any]:
        """The sizes of the model, and the facts."""
        return {"feature_count": self.feature_dim, "num_topics": self.encoder.topics, **self.facts}


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> NtmModel:
    """The model in `directory`; raises ModelError."""
    file = directory / artefact.NAME
    if not file.is_file():
        raise ModelError(f"the model directory {directory} holds no file {artefact.NAME}: deploy the model's archive")
    encoder, decoder = artefact.read(file)
    words = len(decoder.projection)
    if manifest is not None and manifest.feature_count not in {None, words}:
        raise ModelError(
            f"{file} has {words} words, and its manifest says {manifest.feature_count}: deploy the "
            "model's archive again"
        )
    facts = dict(manifest.model) if manifest else {}
    return NtmModel.of(encoder, decoder, vocabulary.read(directory, words), facts)
