"""A corpus in numbers: one pass over a stream of bytes gives a vocabulary, and token ids in memory-mapped files.

Memory holds the vocabulary, never the text. Every token gets a provisional number as it is read; once all are counted
the numbers are put into their final order, and each line becomes the rows that training adds up.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext import lines
from sagedock.algorithms.blazingtext.columns import Column, Starts
from sagedock.algorithms.blazingtext.dictionary import LABEL_PREFIX, Dictionary
from sagedock.algorithms.blazingtext.lines import Numbering
from sagedock.algorithms.blazingtext.ngrams import END_OF_LINE, Ngrams
from sagedock.algorithms.blazingtext.vocabulary import END, Counted, Vocabulary, vocabulary
from sagedock.errors import UserError

LONGEST_SENTENCE = 1024
"""Words of a sentence; a longer line makes several (fastText's MAX_LINE_SIZE)."""
MOST_ROWS = 2**31 - 1
"""Of an input matrix: fastText numbers them with 32 bits and a sign."""
_BLOCK = 1 << 20
_PART = 1 << 20
_NO_LIMIT = 1 << 62

Texts = Iterable[Iterable[bytes]]
"""Texts one after the other, each in blocks of bytes cut anywhere. A text's end also ends its last line."""


@dataclass(frozen=True)
class Sentences:
    """Lines of known words, for word vectors. Labels, should there be any, are left out."""

    dictionary: Dictionary
    words: NDArray[np.int32]
    """The word ids of all sentences, one after the other."""
    starts: NDArray[np.int64]
    """(sentences + 1,): where each begins in `words`."""


@dataclass(frozen=True)
class Examples:
    """Lines with labels, for classification. Those without a label or without a row are left out."""

    dictionary: Dictionary
    rows: NDArray[np.int32]
    """The rows of the input matrix of all examples, one after the other, by their places in `seen`; one may come
    twice."""
    starts: NDArray[np.int64]
    """(examples + 1,): where each begins in `rows`."""
    labels: NDArray[np.int32]
    label_starts: NDArray[np.int64]
    seen: NDArray[np.int64]
    """The dictionary's rows that the examples have, ascending."""
    token_starts: NDArray[np.int64]
    """The same for tokens, unknown ones, labels and ends of lines among them: what progress counts."""
    unlabelled: int = 0
    """How many lines have a word and no label."""
    first_unlabelled: int = 0
    """The number of the first of them, counted from 1 through all texts; 0 for none."""
    unseen: int = 0
    """How many lines have labels, but none that the dictionary has."""


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of `stream` in blocks of moderate size."""
    while block := stream.read(_BLOCK):
        yield block


def read_sentences(texts: Texts, folder: Path, *, min_count: int, ngrams: Ngrams | None = None) -> Sentences:
    """The sentences of `texts`, their numbers in files below `folder`, which has to outlive them.

    Raises UserError when no word comes `min_count` times, and for a token of absurd length.
    """
    tokens, read = _read(texts, folder, vocabulary(LABEL_PREFIX))
    counted = _counted(read, min_count)
    words, starts = Column(folder / "words", np.int32), Starts(folder / "sentences")
    open_words = 0
    for part in _parts(tokens):
        found, lengths = lines.sentences(part, counted.final, len(counted.words))
        lengths[0] += open_words
        open_words = int(lengths[-1])
        words.append(found)
        starts.append(lines.pieces(lengths[:-1], LONGEST_SENTENCE))
    Column(folder / "tokens", np.int32)  # they are not needed any more
    return Sentences(_dictionary(read, counted, ngrams or Ngrams()), words.mapped(), starts.mapped())


def read_examples(
    texts: Texts, folder: Path, *, min_count: int, ngrams: Ngrams, label_prefix: bytes = LABEL_PREFIX
) -> Examples:
    """The examples of `texts` and the dictionary that they make; see `read_sentences`."""
    tokens, read = _read(texts, folder, vocabulary(label_prefix))
    counted = _counted(read, min_count)
    dictionary = _dictionary(read, counted, ngrams, label_prefix)
    return _examples(tokens, read, dictionary, counted.final, folder)


def encode_examples(texts: Texts, folder: Path, dictionary: Dictionary) -> Examples:
    """The examples of `texts` in the numbers of a dictionary that there is, such as those of validation data."""
    tokens, read = _read(texts, folder, vocabulary(dictionary.label_prefix, most_tokens=_NO_LIMIT))
    final = np.array([dictionary.find(token) for token in read.tokens], np.int32)
    return _examples(tokens, read, dictionary, final, folder)


def checksum(dictionary: Dictionary, *columns: NDArray[Any]) -> int:
    """A CRC-32 of what was read: the words and labels, which n-grams depend on, and columns of numbers."""
    code = zlib.crc32(b"\0".join([*dictionary.words, *dictionary.labels]))
    for column in columns:
        code = zlib.crc32(np.ascontiguousarray(column).data, code)
    return code


def _read(texts: Texts, folder: Path, into: Vocabulary) -> tuple[NDArray[np.int32], Vocabulary]:
    """The provisional numbers of all tokens of `texts`, and their vocabulary."""
    tokens = Column(folder / "tokens", np.int32)
    for text in texts:
        for block in text:
            tokens.append(into.feed(block))
        tokens.append(into.end())
    return tokens.mapped(), into


def _counted(read: Vocabulary, min_count: int) -> Counted:
    counted = read.counted(min_count)
    if not set(counted.words) - {END_OF_LINE}:
        raise UserError(
            f"no word comes at least min_count={min_count} times among the {read.total} tokens of the training "
            "data: give more text, separated by spaces, or a lower min_count",
            field="min_count",
        )
    return counted


def _dictionary(read: Vocabulary, counted: Counted, ngrams: Ngrams, label_prefix: bytes = LABEL_PREFIX) -> Dictionary:
    if len(counted.words) + ngrams.buckets > MOST_ROWS:
        raise UserError(
            f"Hyperparameter buckets: {ngrams.buckets} and the {len(counted.words)} words of the training data are "
            f"more than the {MOST_ROWS} rows that a model can have",
            field="buckets",
        )
    return Dictionary(counted.words, counted.labels, counted.counts, read.total, ngrams, label_prefix)


def _examples(
    tokens: NDArray[np.int32], read: Vocabulary, dictionary: Dictionary, final: NDArray[np.int32], folder: Path
) -> Examples:
    numbering = _numbering(read, dictionary, final)
    rows, starts = Column(folder / "rows", np.int32), Starts(folder / "examples")
    labels, label_starts = Column(folder / "labels", np.int32), Starts(folder / "label_starts")
    token_starts = Starts(folder / "token_starts")
    total = unlabelled = first = unseen = 0
    for part in _whole_lines(tokens):
        found = lines.examples(part, numbering, dictionary.ngrams)
        rows.append(found.rows)
        starts.append(found.lengths)
        labels.append(found.labels)
        label_starts.append(found.label_lengths)
        token_starts.append(found.token_lengths)
        if found.unlabelled and not unlabelled:
            first = total + found.first_unlabelled + 1
        total += found.total
        unlabelled += found.unlabelled
        unseen += found.unseen
    Column(folder / "tokens", np.int32)  # they are not needed any more
    seen = rows.renumber(dictionary.rows)
    return Examples(
        dictionary,
        rows.mapped(),
        starts.mapped(),
        labels.mapped(),
        label_starts.mapped(),
        seen,
        token_starts.mapped(),
        unlabelled,
        first,
        unseen,
    )


def _numbering(read: Vocabulary, dictionary: Dictionary, final: NDArray[np.int32]) -> Numbering:
    words = len(dictionary.words)
    if dictionary.ngrams.max_char > 0:
        rows, starts = dictionary.rows_of(read.tokens)
    else:
        known = (final >= 0) & (final < words)
        rows, starts = final[known], np.concatenate([np.zeros(1, np.int64), np.cumsum(known)])
    return Numbering(final, read.hashes, read.is_label, words, rows, starts)


def _parts(tokens: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    for begin in range(0, len(tokens), _PART):
        yield np.asarray(tokens[begin : begin + _PART])


def _whole_lines(tokens: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """Parts that end where a line ends, larger ones where a line is longer."""
    begin = 0
    while begin < len(tokens):
        size = _PART
        while not len(ends := np.flatnonzero(tokens[begin : begin + size] <= END)):
            size *= 2
        yield np.asarray(tokens[begin : begin + ends[-1] + 1])
        begin += int(ends[-1]) + 1
