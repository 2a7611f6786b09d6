"""What the compiled core has for topics of documents; `sagedock.core` is the door to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TopicEncoder(Protocol):
    """Layers from counts to mixtures of topics, which go on looking at the arrays they were made of."""

    def mixtures(
        self, starts: NDArray[np.int64], words: NDArray[np.int32], counts: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """(documents, topics) mixtures of `sagedock.topics.documents.Documents`.

        Raises ValueError for arrays that do not fit together and for a word that there is not.
        """


class TopicCore(Protocol):
    """The part of `sagedock.core.Native` that is about topics."""

    def sweep_topics(
        self,
        starts: NDArray[np.int64],
        words: NDArray[np.int32],
        assigned: NDArray[np.uint16],
        word_topics: NDArray[np.int32],
        totals: NDArray[np.int32],
        *,
        topics: int,
        alpha: NDArray[np.float32],
        beta: float,
        all_words: float,
        seed: int,
        sweep: int,
    ) -> None:
        """Draw the topic of every token once, as `sagedock.algorithms.lda.gibbs` does, in `assigned` and the counts.

        Raises ValueError for arrays that do not fit together and for a word or a topic that there is not.
        """

    def fit_topic_prior(
        self,
        starts: NDArray[np.int64],
        assigned: NDArray[np.uint16],
        alpha: NDArray[np.float64],
        *,
        rounds: int,
        least: float,
    ) -> None:
        """Take so many rounds of Minka's fixed point for `alpha`. Raises ValueError for a topic that there is not."""

    def topic_mixtures(
        self,
        topic_words: NDArray[np.float32],
        prior: NDArray[np.float32],
        starts: NDArray[np.int64],
        words: NDArray[np.int32],
        counts: NDArray[np.float32],
        *,
        rounds: int,
        tolerance: float,
        least: float,
    ) -> NDArray[np.float32]:
        """(documents, topics) mixtures, as `sagedock.algorithms.lda.inference` has them.

        Raises ValueError for arrays that do not fit together and for a word that there is not.
        """

    def TopicEncoder(  # noqa: N802 - a class
        self, weights: Sequence[NDArray[np.float32]], biases: Sequence[NDArray[np.float32]], activation: str
    ) -> TopicEncoder:
        """What `sagedock.algorithms.ntm.encoder.Encoder` is; raises ValueError for layers that do not fit together."""
