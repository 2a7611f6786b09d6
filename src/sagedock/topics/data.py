"""What a job gives a topic model to learn from: the documents of its channels, as counts or as raw text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithm import Cluster
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError
from sagedock.topics import channel as counts
from sagedock.topics import corpus, excerpts, raw_text, text_parameters, vocabulary
from sagedock.topics.documents import Documents
from sagedock.topics.excerpts import Excerpts
from sagedock.topics.lexicon import Lexicon
from sagedock.topics.preparation import Preparation
from sagedock.topics.vocabulary import Vocabulary

TRAIN, VALIDATION, TEST, AUXILIARY = "train", "validation", "test", "auxiliary"


@dataclass(frozen=True)
class Data:
    """The documents of each channel that there is, all counted with the words of one vocabulary."""

    train: Documents
    validation: Documents | None
    test: Documents | None
    vocabulary: Vocabulary | None
    excerpts: Excerpts | None = None
    """What some documents of the train channel begin with, where it is raw text."""

    @property
    def feature_dim(self) -> int:
        """Words of the vocabulary: with one learnt from raw text, the hyperparameter is only the most there may be."""
        return self.train.vocabulary_size

    def sampled(self) -> NDArray[np.int64]:
        """Documents of the train channel for the report, evenly spread: those whose beginnings are known."""
        if self.excerpts is not None:
            return self.excerpts.rows
        step = -(-self.train.rows // excerpts.MOST)
        return np.arange(0, self.train.rows, max(1, step), dtype=np.int64)


def read(channels: Mapping[str, Channel], values: Values, cluster: Cluster) -> Data:
    """The data of a job, its channels read in the order train, validation, test.

    Of several hosts each reads its own part of train, and all have one vocabulary. Raises UserError naming channel,
    file and line or record of what is wrong.
    """
    _refuse_mixtures(channels)
    auxiliary = channels.get(AUXILIARY)
    if raw_text.holds_text(channels[TRAIN]):
        return _of_texts(channels, values, auxiliary, cluster)
    text_parameters.warn_of_unused(values, raw=False, learnt=False)
    known = vocabulary.of_channel(auxiliary, values["feature_dim"], _for_words(values, auxiliary))
    train = counts.read(channels[TRAIN], values["feature_dim"], shard=len(cluster.hosts) > 1)
    return _with_others(train, known, None, channels, values, cluster)


def _of_texts(channels: Mapping[str, Channel], values: Values, auxiliary: Channel | None, cluster: Cluster) -> Data:
    shortest = values["_min_document_length"]
    known = None
    if auxiliary is not None and (auxiliary.path / vocabulary.FILE).is_file():
        known = vocabulary.of_channel(auxiliary, values["feature_dim"], _for_words(values, auxiliary))
    text_parameters.warn_of_unused(values, raw=True, learnt=known is None)
    if known is None:
        prepared, limits = text_parameters.preparation(values, auxiliary), text_parameters.limits(values)
        found, chosen = corpus.learnt(channels[TRAIN], prepared, limits, shortest, cluster)
        known = Vocabulary(chosen.words, prepared, chosen.keys)
    else:
        found = corpus.counted(channels[TRAIN], _lexicon(known), shortest, cluster)
    return _with_others(found.documents, known, found.excerpts, channels, values, cluster)


def _with_others(
    train: Documents,
    known: Vocabulary | None,
    beginnings: Excerpts | None,
    channels: Mapping[str, Channel],
    values: Values,
    cluster: Cluster,
) -> Data:
    """The data with what the channels for validation and test hold."""
    found: dict[str, Documents | None] = {}
    for name in (VALIDATION, TEST):
        channel = channels.get(name)
        if channel is None:
            found[name] = None
        elif raw_text.holds_text(channel):
            lexicon = _lexicon(_needed(known, name))
            found[name] = corpus.counted(channel, lexicon, values["_min_document_length"], cluster).documents
        else:
            found[name] = counts.read(channel, train.vocabulary_size)
    return Data(train, found[VALIDATION], found[TEST], known, beginnings)


def _for_words(values: Values, auxiliary: Channel | None) -> Preparation:
    return text_parameters.preparation_for_words(values, auxiliary)


def _lexicon(known: Vocabulary) -> Lexicon:
    return Lexicon(known.words, known.preparation, known.keys, much=True)


def _needed(known: Vocabulary | None, name: str) -> Vocabulary:
    if known is None:
        raise UserError(
            f"the {name} channel holds raw text, and the words behind the counts of the train channel are not known: "
            f"give {vocabulary.FILE} in the auxiliary channel, one word a line, or raw text in the train channel too",
            field=name,
        )
    return known


def _refuse_mixtures(channels: Mapping[str, Channel]) -> None:
    """Counts in the numbers of a vocabulary that is yet to be learnt cannot be."""
    auxiliary = channels.get(AUXILIARY)
    if not raw_text.holds_text(channels[TRAIN]) or (auxiliary and (auxiliary.path / vocabulary.FILE).is_file()):
        return
    for name in (VALIDATION, TEST):
        if name in channels and not raw_text.holds_text(channels[name]):
            raise UserError(
                f"the train channel holds raw text and the {name} channel is declared as "
                f"{channels[name].content_type or 'recordio-protobuf'}: declare it as raw text too "
                f"({' or '.join(raw_text.TYPES)}), since the vocabulary is learnt from the train channel",
                field=name,
            )


def require_enough(documents: Documents, topics: int) -> None:
    """Raise UserError where so many topics cannot be found in the documents of the train channel."""
    if topics > documents.rows:
        raise UserError(
            f"num_topics is {topics}, and the train channel holds {documents.rows} documents: give at least as many "
            "documents as topics, or lower num_topics",
            field="num_topics",
        )
    if not documents.tokens:
        raise UserError("no document of the train channel has a word: give documents that are not empty", field="train")
