"""The vocabulary of a text while it is read: every token gets a number, provisional until all are counted.

Tokens, counts, order and limits are those of fastText (blazingtext.md section 7.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sagedock import core, text_core
from sagedock.algorithms.blazingtext import ngrams as hashing
from sagedock.algorithms.blazingtext.ngrams import END_OF_LINE
from sagedock.algorithms.blazingtext.order import by_key
from sagedock.errors import UserError

END = 0
"""The number of `</s>`, which ends a line, whether it was read or not."""
CUT = -1
"""Among the numbers of tokens: a text ended here, with or without a line feed before."""
MOST_TOKENS = 22_500_000
"""Different tokens held at most: beyond it the rarest are forgotten (three quarters of fastText's table)."""
LONGEST_TOKEN = 64 << 20
"""Bytes. A text without one space would otherwise be held in memory whole."""

_SEPARATORS = (b" ", b"\n", b"\r", b"\t", b"\v", b"\f")
_NUL_TO_SPACE = bytes.maketrans(b"\0", b" ")
_LABELS_LAST = 1 << 62  # more than any count


@dataclass(frozen=True)
class Counted:
    """A vocabulary in its final order: words, then labels, each by descending count."""

    words: Sequence[bytes]
    labels: Sequence[bytes]
    counts: NDArray[np.int64]
    final: NDArray[np.int32]
    """By provisional number: the final one, labels behind the words; -1 for a token that is too rare."""


class Vocabulary(Protocol):
    """Blocks of text in, provisional numbers out; `</s>` stands for a line feed."""

    def feed(self, block: bytes) -> NDArray[np.int32]:
        """The numbers of the tokens of the next block; what may go on in the block after it is kept back.

        Raises UserError for a token of absurd length.
        """

    def end(self) -> NDArray[np.int32]:
        """The numbers of what was kept back, and CUT: the text ends here, and the next may begin."""

    def counted(self, min_count: int) -> Counted:
        """The vocabulary of the words read `min_count` times, and of all labels."""

    @property
    def total(self) -> int:
        """How many tokens were read."""

    @property
    def tokens(self) -> list[bytes]:
        """The tokens by their numbers; one that was forgotten is empty."""

    @property
    def hashes(self) -> NDArray[np.uint32]:
        """By number, of those that are forgotten as well."""

    @property
    def is_label(self) -> NDArray[np.bool_]:
        """By number, of those that are forgotten as well."""


def vocabulary(label_prefix: bytes, most_tokens: int = MOST_TOKENS) -> Vocabulary:
    """An empty one, in the compiled core where there is one."""
    if core.native is None:
        return PythonVocabulary(label_prefix, most_tokens)
    return NativeVocabulary(core.native.Vocabulary(label_prefix, most_tokens, LONGEST_TOKEN))


class NativeVocabulary:
    """One in the compiled core."""

    def __init__(self, native: text_core.Vocabulary) -> None:
        self._native = native
        self.end = native.end

    def feed(self, block: bytes) -> NDArray[np.int32]:
        found = self._native.feed(block)
        if found is None:
            raise too_long(self._native.kept_back())
        return found

    def counted(self, min_count: int) -> Counted:
        return Counted(*self._native.counted(min_count))

    @property
    def total(self) -> int:
        return self._native.total

    @property
    def tokens(self) -> list[bytes]:
        return self._native.tokens

    @property
    def hashes(self) -> NDArray[np.uint32]:
        return self._native.hashes

    @property
    def is_label(self) -> NDArray[np.bool_]:
        return self._native.is_label.astype(bool)


class PythonVocabulary:
    """One in Python."""

    def __init__(self, label_prefix: bytes, most_tokens: int) -> None:
        self._numbers = _Numbers(label_prefix)
        self._most = most_tokens
        self._least = 1
        self._counts = np.zeros(1, np.int64)  # by provisional number
        self._tail = b""
        self.total = 0

    def feed(self, block: bytes) -> NDArray[np.int32]:
        text = (self._tail + block).translate(_NUL_TO_SPACE)
        end = 1 + max(map(text.rfind, _SEPARATORS))
        self._tail = text[end:]
        if len(self._tail) > LONGEST_TOKEN:
            raise too_long(self._tail)
        return self._numbered(text[:end])

    def end(self) -> NDArray[np.int32]:
        text, self._tail = self._tail, b""
        return np.append(self._numbered(text), np.int32(CUT))

    def counted(self, min_count: int) -> Counted:
        numbers = self._in_order()
        is_label = self.is_label
        kept = numbers[is_label[numbers] | (self._counts[numbers] >= min_count)]
        final = np.full(len(self.hashes), -1, np.int32)
        final[kept] = np.arange(len(kept))
        tokens = self.tokens
        words, labels = ([tokens[number] for number in kept if is_label[number] == kind] for kind in (False, True))
        return Counted(words, labels, self._counts[kept], final)

    @property
    def tokens(self) -> list[bytes]:
        found = [END_OF_LINE, *[b""] * (len(self._numbers.hashes) - 1)]
        for token, number in self._numbers.items():
            found[number] = token
        return found

    @property
    def hashes(self) -> NDArray[np.uint32]:
        return np.array(self._numbers.hashes, np.uint32)

    @property
    def is_label(self) -> NDArray[np.bool_]:
        return np.array(self._numbers.is_label, bool)

    def _numbered(self, text: bytes) -> NDArray[np.int32]:
        tokens = text.replace(b"\n", b" </s> ").split()
        self.total += len(tokens)
        if len(self._numbers) + len(tokens) <= self._most:
            return self._count(tokens)
        return np.concatenate([self._count_one(token) for token in tokens])

    def _count(self, tokens: list[bytes]) -> NDArray[np.int32]:
        found = np.fromiter(map(self._numbers.__getitem__, tokens), np.int32, len(tokens))
        counts = np.bincount(found, minlength=len(self._numbers.hashes))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        return found

    def _count_one(self, token: bytes) -> NDArray[np.int32]:
        found = self._count([token])
        if len(self._numbers) > self._most:
            self._least += 1
            numbers = self._in_order()
            self._numbers.keep(numbers[self._counts[numbers] >= self._least].tolist())
            self._counts[END] *= END_OF_LINE in self._numbers  # the one number that is given again
        return found

    def _in_order(self) -> NDArray[np.int64]:
        """The provisional numbers of what is known, in fastText's order."""
        numbers = np.array(list(self._numbers.values()), np.int64)
        keys = self.is_label[numbers] * _LABELS_LAST - self._counts[numbers]
        return numbers[by_key(keys.tolist())]


class _Numbers(dict[bytes, int]):
    """Tokens and their numbers, given as they are asked for; what is forgotten and read again gets a new one."""

    def __init__(self, label_prefix: bytes) -> None:
        super().__init__()
        self._prefix = label_prefix
        self.hashes = [hashing.fnv(END_OF_LINE)]
        self.is_label = [False]

    def __missing__(self, token: bytes) -> int:
        if token == END_OF_LINE:
            self[token] = END
            return END
        number = len(self.hashes)
        self[token] = number
        self.hashes.append(hashing.fnv(token))
        self.is_label.append(token.startswith(self._prefix))
        return number

    def keep(self, numbers: list[int]) -> None:
        """Forget all others, and bring these into this order."""
        tokens = {number: token for token, number in self.items()}
        self.clear()
        self.update((tokens[number], number) for number in numbers)


def too_long(token: bytes) -> UserError:
    """The error for a text without separators."""
    return UserError(
        f"more than {LONGEST_TOKEN >> 20} MiB without a space or line end, beginning with {token[:40]!r}: "
        "give plain text, one sentence a line, its words separated by spaces"
    )
