"""Lines of numbered tokens made into what training reads: sentences of words, or rows of the input matrix and labels.

Tokens carry the provisional numbers of `vocabulary`: END ends a line and belongs to it, CUT ends one and does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.blazingtext import ngrams as hashing
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.vocabulary import CUT, END


@dataclass(frozen=True)
class Numbering:
    """What each provisional number stands for."""

    final: NDArray[np.int32]
    """The id of a word, or words + i for label i; -1 for neither."""
    hashes: NDArray[np.uint32]
    is_label: NDArray[np.bool_]
    """Also of labels without an id."""
    words: int
    """How many words there are; the buckets of n-grams follow them."""
    rows: NDArray[np.int32]
    """The rows of a token, of all tokens one after the other."""
    row_starts: NDArray[np.int64]
    """(tokens + 1,): where each token's begin in `rows`."""


@dataclass(frozen=True)
class Lines:
    """Some lines, in order, that have rows and known labels; and a count of those that lack a label."""

    rows: NDArray[np.int32]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int32]
    label_lengths: NDArray[np.int64]
    token_lengths: NDArray[np.int64]
    """How many tokens each line has, of whatever kind."""
    total: int
    """How many lines there were."""
    unlabelled: int
    """Of them: those with a word and no label."""
    first_unlabelled: int
    """The place of the first such line, from 0; -1 for none."""
    unseen: int
    """Of them: those with labels, none of which is known."""


def sentences(
    tokens: NDArray[np.int32], final: NDArray[np.int32], words: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The ids below `words` of `tokens`, and how many each line has; the last is the line that is still open."""
    found = np.where(tokens == CUT, -1, final[tokens])
    known = (found >= 0) & (found < words)
    ended = int((tokens <= END).sum())
    return found[known], np.bincount(_line_of(tokens)[known], minlength=ended + 1)


def pieces(lengths: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """The lengths of what lines are cut into so that none is above `longest`; empty lines make nothing."""
    counts = -(-lengths // longest)
    cut = np.full(int(counts.sum()), longest, np.int64)
    filled = lengths > 0
    cut[np.cumsum(counts)[filled] - 1] = (lengths - (counts - 1) * longest)[filled]
    return cut


def examples(tokens: NDArray[np.int32], numbering: Numbering, ngrams: Ngrams) -> Lines:
    """The rows and labels of whole lines, in the order in which fastText has them: words first, then their n-grams."""
    if core.native is None:
        return _examples(tokens, numbering, ngrams)
    found = core.native.example_lines(tokens, **vars(numbering), buckets=ngrams.buckets, word_ngrams=ngrams.word_ngrams)
    return Lines(*found)


def _examples(tokens: NDArray[np.int32], numbering: Numbering, ngrams: Ngrams) -> Lines:
    line = _line_of(tokens)
    here = tokens != CUT
    tokens, line = tokens[here], line[here]
    line = np.cumsum(np.diff(line, prepend=line[:1]) != 0)  # without the empty line before a cut
    total = int(line[-1]) + 1 if len(line) else 0
    is_label = numbering.is_label[tokens]
    rows, row_line = _rows(tokens[~is_label], line[~is_label], numbering, ngrams)
    labels, label_line = numbering.final[tokens[is_label]] - numbering.words, line[is_label]
    labels, label_line = labels[labels >= 0], label_line[labels >= 0]
    lengths = np.bincount(row_line, minlength=total)
    label_lengths = np.bincount(label_line, minlength=total)
    named = np.bincount(line[is_label], minlength=total) > 0
    worded = np.bincount(line[~is_label & (tokens != END)], minlength=total) > 0
    usable = (lengths > 0) & (label_lengths > 0)
    unlabelled = np.flatnonzero(worded & ~named)
    return Lines(
        rows=rows[usable[row_line]],
        lengths=lengths[usable],
        labels=labels[usable[label_line]],
        label_lengths=label_lengths[usable],
        token_lengths=np.bincount(line, minlength=total)[usable],
        total=total,
        unlabelled=len(unlabelled),
        first_unlabelled=int(unlabelled[0]) if len(unlabelled) else -1,
        unseen=int((named & (label_lengths == 0)).sum()),
    )


def _line_of(tokens: NDArray[np.int32]) -> NDArray[np.int64]:
    """The line of each token, counted from 0; what ends a line belongs to it."""
    ends = tokens <= END
    return np.cumsum(ends) - ends


def _rows(
    tokens: NDArray[np.int32], line: NDArray[np.int64], numbering: Numbering, ngrams: Ngrams
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The rows of the words and of their n-grams, and the line of each."""
    starts, ends = numbering.row_starts[tokens], numbering.row_starts[tokens + 1]
    widths = ends - starts
    offsets = np.arange(widths.sum()) - np.repeat(np.cumsum(widths) - widths, widths)
    own = numbering.rows[np.repeat(starts, widths) + offsets]
    buckets = hashing.word_ngrams(numbering.hashes[tokens], ngrams)
    for order in range(1, ngrams.word_ngrams):
        reached = line[order:] == line[:-order]
        buckets[: len(reached), order - 1][~reached] = -1
        buckets[len(reached) :, order - 1] = -1
    there = buckets >= 0
    places = np.concatenate([np.repeat(2 * line, widths), np.repeat(2 * line + 1, there.sum(axis=1))])
    in_lines = np.argsort(places, kind="stable")
    rows = np.concatenate([own, numbering.words + buckets[there]])
    return rows[in_lines].astype(np.int32), places[in_lines] // 2
