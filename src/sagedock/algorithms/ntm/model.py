"""A neural topic model that answers requests with weights of topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sagedock.algorithms.ntm import artefact
from sagedock.algorithms.ntm.artefact import Decoder
from sagedock.algorithms.ntm.encoder import Encoder
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.manifest import Manifest
from sagedock.topics import measures, vocabulary
from sagedock.topics.documents import Documents, Floats
from sagedock.topics.model import TopicModel, artefact_in, require_words
from sagedock.topics.summary import Summary


@dataclass(frozen=True)
class NtmModel(TopicModel):
    """An encoder that is asked, and the decoder whose columns are the topics."""

    answer_key: ClassVar[str] = "topic_weights"
    seconds_a_document: ClassVar[float] = 30e-6

    encoder: Encoder
    decoder: Decoder

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
        return cls(len(decoder.projection), top, words, encoder, decoder, facts=facts or {}, summary=summary)

    @property
    def memory_bytes(self) -> int:
        """What the arrays take."""
        return self.encoder.memory_bytes + self.decoder.projection.nbytes

    def mixtures(self, documents: Documents) -> Floats:
        """(documents, topics) weights of each topic."""
        return self.encoder.mixtures(documents)

    def write(self, directory: Path) -> Sequence[str]:
        """As `TopicModel` has it."""
        return artefact.write(directory, self.encoder, self.decoder, self.describe())


def load(directory: Path, manifest: Manifest | None, options: InferenceOptions) -> NtmModel:
    """The model in `directory`; raises ModelError."""
    file = artefact_in(directory, artefact.NAME)
    encoder, decoder = artefact.read(file)
    words = len(decoder.projection)
    require_words(file, words, manifest)
    facts = dict(manifest.model) if manifest else {}
    return NtmModel.of(encoder, decoder, vocabulary.read(directory, words), facts)
