"""What several hosts need in common before they train one set of word vectors: the text, and where it begins."""

from __future__ import annotations

import numpy as np

from sagedock.algorithm import Cluster
from sagedock.algorithms.blazingtext.corpus import Sentences, checksum
from sagedock.algorithms.blazingtext.weights import Weights
from sagedock.errors import UserError


def require_same_text(sentences: Sentences, cluster: Cluster) -> None:
    """Raise UserError where the hosts have read different texts, or one that is too short for them."""
    count = len(cluster.hosts)
    if count == 1:
        return
    code = checksum(sentences.dictionary, sentences.words, sentences.starts)
    codes = cluster.gather(str(code).encode())
    if cluster.broadcast(b"same" if len(set(codes)) == 1 else b"different") != b"same":
        raise UserError(
            "the hosts of this job have different training data: set S3DataDistributionType to FullyReplicated, each "
            "host trains on its own part of the whole",
            field="train",
        )
    found = len(sentences.starts) - 1
    if found < count:
        raise UserError(f"{found} sentences for {count} hosts: set InstanceCount to 1", field="train")


def take_over(weights: Weights, cluster: Cluster) -> None:
    """Let every host have the weights of the first."""
    if len(cluster.hosts) == 1:
        return
    whole = Weights(*(np.array(each, np.float32, order="C") for each in (weights.input, weights.output)))
    cluster.mean([whole.input, whole.output], weight=float(cluster.rank == 0))
    weights.put(whole)
