"""What the compiled core has for texts; `sagedock.core` is the door to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Dictionary(Protocol):
    """Words and labels (`sagedock.algorithms.blazingtext.dictionary` says what each method means)."""

    @property
    def memory_bytes(self) -> int:
        """What it takes in memory, about."""

    def rows(self, text: bytes) -> NDArray[np.int32]:
        """The rows of a line of text."""

    def rows_of(self, tokens: Sequence[bytes]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The rows of each token, and where each token's begin."""


class Classifier(Protocol):
    """A text classifier (`sagedock.algorithms.blazingtext.classifier` says what each method means).

    Each gives None when the model holds what is no finite number.
    """

    def probabilities(self, rows: NDArray[np.int32]) -> NDArray[np.float32] | None:
        """Raises ValueError for a row that there is not."""

    def predict(
        self, texts: Sequence[bytes], wanted: Sequence[int], threshold: float
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]] | None:
        """Labels and probabilities of all texts, and (texts + 1,) where each text's begin."""

    def predict_rows(
        self, rows: NDArray[np.int32], starts: NDArray[np.int64], seen: NDArray[np.int64], threads: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
        """The best label of each example and its probability. Raises ValueError for a row that there is not."""

    def answer(self, body: bytes, lined: bool) -> bytes | None:
        """The answer to a request in JSON, or JSON Lines; None also for anything unusual, to be read with care."""


class Vocabulary(Protocol):
    """A vocabulary while it is read (`sagedock.algorithms.blazingtext.vocabulary` says what each method means)."""

    @property
    def total(self) -> int: ...

    @property
    def tokens(self) -> list[bytes]: ...

    @property
    def hashes(self) -> NDArray[np.uint32]: ...

    @property
    def is_label(self) -> NDArray[np.uint8]: ...

    def feed(self, block: bytes) -> NDArray[np.int32] | None:
        """None for a token that is longer than any may be."""

    def end(self) -> NDArray[np.int32]: ...

    def kept_back(self) -> bytes:
        """The token at the end of what was fed, which may go on."""

    def counted(self, min_count: int) -> tuple[list[bytes], list[bytes], NDArray[np.int64], NDArray[np.int32]]:
        """Words, labels, counts, and final numbers by provisional ones."""


class TextCore(Protocol):
    """The part of `sagedock.core.Native` that is about texts."""

    def Classifier(  # noqa: N802 - a class
        self,
        dictionary: Dictionary,
        input: NDArray[np.float32],  # noqa: A002 - what it is called
        output: NDArray[np.float32],
        *,
        loss: str,
        places: NDArray[np.int32] | None,
        left: Sequence[int],
        right: Sequence[int],
        table: Sequence[float],
        labels: Sequence[bytes],
        tokenizer: object | None,
    ) -> Classifier:
        """A classifier over matrices that may begin at any byte; `left` and `right` are the tree's, `labels` JSON.

        Raises ValueError where the parts do not fit one another.
        """

    def Dictionary(  # noqa: N802 - a class
        self,
        words: Sequence[bytes],
        labels: Sequence[bytes],
        *,
        buckets: int,
        min_char: int,
        max_char: int,
        word_ngrams: int,
        label_prefix: bytes,
        kept: Sequence[tuple[int, int]] | None,
    ) -> Dictionary:
        """Raises ValueError for n-grams without buckets, and for a bucket whose place lies outside those kept."""

    def Vocabulary(  # noqa: N802 - a class
        self, label_prefix: bytes, most_tokens: int, longest_token: int
    ) -> Vocabulary:
        """An empty one; beyond `most_tokens` different tokens the rarest are forgotten."""

    def learn(
        self,
        input: NDArray[np.float32],  # noqa: A002 - what it is called
        output: NDArray[np.float32],
        rows: NDArray[np.int32],
        starts: NDArray[np.int64],
        labels: NDArray[np.int32],
        label_starts: NDArray[np.int64],
        token_starts: NDArray[np.int64],
        *,
        order: NDArray[np.int64] | None,
        weights: NDArray[np.float32],
        scales: NDArray[np.float32] | None,
        first: int,
        last: int,
        rate: float,
        tokens_before: float,
        tokens_in_all: float,
        seed: int,
        epoch: int,
        threads: int,
    ) -> float:
        """Learn the examples at places `first` to `last` of `order`; the sum of their losses.

        Both matrices have a multiple of 16 columns. Raises ValueError for what does not fit, before anything is learnt.
        """

    def example_lines(
        self,
        tokens: NDArray[np.int32],
        *,
        final: NDArray[np.int32],
        hashes: NDArray[np.uint32],
        is_label: NDArray[np.bool_],
        words: int,
        rows: NDArray[np.int32],
        row_starts: NDArray[np.int64],
        buckets: int,
        word_ngrams: int,
    ) -> tuple[
        NDArray[np.int32],
        NDArray[np.int64],
        NDArray[np.int32],
        NDArray[np.int64],
        NDArray[np.int64],
        int,
        int,
        int,
        int,
    ]:
        """What `sagedock.algorithms.blazingtext.lines.Lines` holds. Raises ValueError for a token without a number."""
