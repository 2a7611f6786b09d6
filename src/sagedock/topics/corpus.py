"""Raw text of a channel in numbers: with a vocabulary learnt from it, or with one that there is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from sagedock.algorithm import Cluster
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from sagedock.topics import learning, raw_text
from sagedock.topics.counting import Counted, joined
from sagedock.topics.documents import Documents
from sagedock.topics.excerpts import Collector, Excerpts
from sagedock.topics.learning import Chosen, Learner, Limits, Tally, Usage
from sagedock.topics.lexicon import Lexicon
from sagedock.topics.preparation import Preparation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """The documents of a channel of raw text that are long enough, and what some of them begin with."""

    documents: Documents
    excerpts: Excerpts
    left_out: int
    """Documents that are too short, empty ones too."""


def learnt(
    channel: Channel, preparation: Preparation, limits: Limits, min_length: int, cluster: Cluster
) -> tuple[Corpus, Chosen]:
    """The channel's documents and the vocabulary of all hosts, from one pass over the text.

    Raises UserError for whatever cannot be read, where no word is left, and where no document is long enough.
    """
    learner, collector = Learner(preparation), Collector()
    for block in _blocks(channel, cluster):
        learner.feed(block)
        collector.feed(block)
    chosen = _agreed(learner.tally(), limits, cluster)
    corpus = _corpus(channel, learner.documents(chosen.keys), collector.excerpts(), len(chosen.words), min_length)
    log.info("Vocabulary of %d words learnt from %d documents", len(chosen.words), corpus.documents.rows)
    return corpus, chosen


def counted(channel: Channel, lexicon: Lexicon, min_length: int, cluster: Cluster) -> Corpus:
    """The channel's documents in the numbers of a vocabulary that there is. Raises UserError like `learnt`."""
    collector, parts = Collector(), []
    for block in _blocks(channel, cluster):
        parts.append(lexicon.counted(block))
        collector.feed(block)
    return _corpus(channel, joined(parts), collector.excerpts(), lexicon.size, min_length)


def _blocks(channel: Channel, cluster: Cluster) -> Iterable[str]:
    """The channel's text; on one of several hosts there may be none."""
    if len(cluster.hosts) > 1 and channel.input_mode == "File" and not channel.files():
        return ()
    return raw_text.read(channel)


def _corpus(channel: Channel, found: Counted, excerpts: Excerpts, size: int, min_length: int) -> Corpus:
    long_enough, kept = found.at_least(min_length)
    left_out = len(kept) - len(long_enough.lengths)
    if left_out:
        log.info("%d of %d documents of the %s channel are left out: they have fewer than %d words of the vocabulary",
                 left_out, len(kept), channel.name, min_length)  # fmt: skip
    if len(kept) and left_out == len(kept):
        raise UserError(
            f"the {channel.name} channel holds {len(kept):,} documents, none of which has "
            f"_min_document_length={min_length} words of the vocabulary: give longer texts, one document a line, or a "
            "lower _min_document_length",
            field="_min_document_length",
        )
    return Corpus(long_enough.of_size(size), excerpts.of_kept(kept), left_out)


def _agreed(own: Tally, limits: Limits, cluster: Cluster) -> Chosen:
    """The vocabulary, the same on all hosts."""
    if len(cluster.hosts) == 1:
        return learning.choose(own, limits)
    told = {"documents": own.documents, "usages": {key: list(usage) for key, usage in own.usages.items()}}
    parts = cluster.gather(orjson.dumps(told))
    answer = b""
    if cluster.rank == 0:
        answer = _answer(learning.merged(_tally(orjson.loads(part)) for part in parts), limits)
    found = orjson.loads(cluster.broadcast(answer))
    if "error" in found:
        raise UserError(found["error"], field="_min_df")
    return Chosen(found["words"], found["keys"])


def _answer(tally: Tally, limits: Limits) -> bytes:
    """The choice as JSON; where there is none, why, so that every host ends for the same reason."""
    try:
        return orjson.dumps(asdict(learning.choose(tally, limits)))
    except UserError as error:
        return orjson.dumps({"error": str(error)})


def _tally(told: Mapping[str, Any]) -> Tally:
    return Tally({key: Usage(*usage) for key, usage in told["usages"].items()}, told["documents"])
