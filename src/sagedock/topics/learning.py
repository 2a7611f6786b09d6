"""A vocabulary learnt from texts in one pass: their words are numbered as they come, and chosen once all are counted.

Memory holds the different words and the counts, never the texts.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError
from sagedock.topics import tokens
from sagedock.topics.counting import Counted, counted, joined
from sagedock.topics.preparation import Preparation
from sagedock.topics.tokens import NO_WORD

log = logging.getLogger(__name__)

MOST_WORDS = 3_000_000
"""Different ones held at most: beyond it the rarest are forgotten, as if they had not been read."""


@dataclass(frozen=True)
class Limits:
    """Which words make the vocabulary."""

    size: int
    """How many at most: the most frequent ones."""
    min_df: float = 1
    """Documents that hold a word at least: their share below 1, their number from 1 on."""
    max_df: float = 1.0
    """Documents that hold a word at most: their share up to 1, their number above."""

    def allow(self, holders: int, documents: int) -> bool:
        """Whether a word that so many of the documents hold is rare and frequent enough."""
        low = self.min_df * documents if self.min_df < 1 else self.min_df
        high = self.max_df * documents if self.max_df <= 1 else self.max_df
        return low <= holders <= high


class Usage(NamedTuple):
    """How one key is used."""

    total: int
    documents: int
    word: str
    """The token that stands for the key most often."""
    standing: int
    """How often."""

    def plus(self, other: Usage) -> Usage:
        """That of two parts of the texts together."""
        first = min((self, other), key=lambda each: (-each.standing, each.word))
        return Usage(self.total + other.total, self.documents + other.documents, first.word, first.standing)


@dataclass(frozen=True)
class Tally:
    """How every key is used, and how many documents have a word at all."""

    usages: Mapping[str, Usage]
    documents: int


@dataclass(frozen=True)
class Chosen:
    """The words of a vocabulary, by descending frequency and then by alphabet, and their keys."""

    words: Sequence[str]
    keys: Sequence[str]


def merged(tallies: Iterable[Tally]) -> Tally:
    """The tally of texts that were read in parts."""
    usages: dict[str, Usage] = {}
    documents = 0
    for tally in tallies:
        documents += tally.documents
        for key, usage in tally.usages.items():
            usages[key] = usages[key].plus(usage) if key in usages else usage
    return Tally(usages, documents)


def choose(tally: Tally, limits: Limits) -> Chosen:
    """The vocabulary. Raises UserError when the limits leave no word."""
    found = [item for item in tally.usages.items() if limits.allow(item[1].documents, tally.documents)]
    if not found:
        raise UserError(
            f"no word of the {tally.documents:,} documents is left to learn topics from: of {len(tally.usages):,} "
            f"words none is in as many documents as _min_df ({limits.min_df:g}) and _max_df ({limits.max_df:g}) allow; "
            "give more text, one document a line, or wider limits",
            field="_min_df",
        )
    found.sort(key=lambda item: (-item[1].total, item[1].word))
    kept = found[: limits.size]
    return Chosen([usage.word for _, usage in kept], [key for key, _ in kept])


class Learner:
    """Blocks of texts in; then what words there are, and the documents in the numbers of the chosen ones."""

    def __init__(self, preparation: Preparation, most_words: int = MOST_WORDS) -> None:
        self._words = _Words(preparation)
        self._numbers = tokens.of_channel(self._words.number, lower_case=preparation.lower_case, remembered=most_words)
        self._most = most_words
        self._standing = np.zeros(0, np.int64)  # by number of a word, how often it stands there
        self._totals = np.zeros(0, np.int64)  # by number of a key
        self._holders = np.zeros(0, np.int64)
        self._parts: list[Counted] = []

    def feed(self, block: str) -> None:
        """Read lines, a document each, all of which end with a line feed."""
        found = self._numbers.of(block)
        known = found >= 0
        self._standing = _added(self._standing, np.bincount(found[known]))
        found[known] = self._words.of_keys(found[known])
        part = counted(found)
        self._totals = _added(self._totals, np.bincount(part.words, part.counts).astype(np.int64))
        self._holders = _added(self._holders, np.bincount(part.words))
        self._parts.append(part)
        if len(self._words.numbers) > self._most:
            self._forget()

    def tally(self) -> Tally:
        """How the words read so far are used."""
        standing, key_of = self._standing.tolist(), self._words.key_of
        best: dict[int, tuple[int, str]] = {}
        for word, number in self._words.numbers.items():
            times, place = standing[number], key_of[number]
            most, other = best.get(place, (0, ""))
            if times > most or (times == most and word < other):
                best[place] = times, word
        totals, holders = self._totals.tolist(), self._holders.tolist()
        usages = {}
        for key, place in self._words.keys.items():
            times, word = best[place]
            usages[key] = Usage(totals[place], holders[place], word, times)
        return Tally(usages, sum(int(np.count_nonzero(part.lengths)) for part in self._parts))

    def documents(self, keys: Sequence[str]) -> Counted:
        """All documents, with the word whose key is `keys[n]` numbered n, and without others. Ends the learning."""
        final = np.full(len(self._totals), NO_WORD, np.int32)
        for number, key in enumerate(keys):
            if key in self._words.keys:
                final[self._words.keys[key]] = number
        parts, self._parts = self._parts, []
        return joined(part.renumbered(final) for part in parts)

    def _forget(self) -> None:
        """Keep half of the words at most, the more frequent ones, and the keys that they have."""
        numbers = np.fromiter(self._words.numbers.values(), np.int64)
        half = len(numbers) // 2
        least = np.partition(self._standing[numbers], half)[half]
        log.warning("more than %d different words: those that came %d times or less are forgotten", self._most, least)
        self._words.keep(set(numbers[self._standing[numbers] > least].tolist()))
        self._numbers.forget()


class _Words:
    """Words and their numbers, given as they come; and those of their keys."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation
        self.numbers: dict[str, int] = {}
        self.key_of = array("q")
        """By number of a word, that of its key."""
        self.keys: dict[str, int] = {}
        self._given = 0

    def number(self, word: str) -> int:
        """Of a word, NO_WORD for one that does not count."""
        if word in self.numbers:
            return self.numbers[word]
        key = self._preparation.key(word)
        if key is None:
            return NO_WORD
        if key not in self.keys:
            self.keys[key] = self._given
            self._given += 1
        number = len(self.key_of)
        self.numbers[word] = number
        self.key_of.append(self.keys[key])
        return number

    def of_keys(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of the keys of words, given those of the words."""
        return np.frombuffer(self.key_of, np.int64)[numbers] if len(numbers) else numbers

    def keep(self, numbers: set[int]) -> None:
        """Forget all other words, and the keys that none of these has. What is read again gets a new number."""
        self.numbers = {word: number for word, number in self.numbers.items() if number in numbers}
        held = {self.key_of[number] for number in numbers}
        self.keys = {key: number for key, number in self.keys.items() if number in held}


def _added(sums: NDArray[np.int64], more: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sums, as long as the longer of both."""
    longer, other = (sums, more) if len(sums) >= len(more) else (more, sums)
    longer = longer.copy()
    longer[: len(other)] += other
    return longer
