"""A classifier made smaller (_quantise): rows that matter little left out, and those that are kept written as codes.

Source: Joulin et al., FastText.zip: Compressing text classification models, 2016. The result is a file of fastText's
(.ftz); what it costs in accuracy is measured by whoever has data to measure it on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext import codebooks
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.fasttext_file import FastTextFile, Matrix
from sagedock.algorithms.blazingtext.ngrams import END_OF_LINE

_AT_ONCE = 1 << 16

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Selection:
    """Which rows of an input matrix are kept, and the dictionary that is left."""

    rows: NDArray[np.int64]
    """Ascending: words, then buckets."""
    dictionary: Dictionary
    moved: Ids
    """(old rows,): where each row went; -1 for one that was left out."""

    def examples(self, examples: Examples) -> Examples:
        """The same texts in the numbers of the new dictionary; rows that are gone are gone from them too."""
        rows = self.moved[examples.seen][examples.rows]
        kept = rows >= 0
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept, dtype=np.int64)])[examples.starts]
        seen = np.arange(len(self.rows))
        return replace(examples, dictionary=self.dictionary, rows=rows[kept], starts=starts, seen=seen)


def select(dictionary: Dictionary, matrix: Matrix, most: int = 0) -> Selection:
    """The rows that are not zero, and of these the `most` longest where that is not 0; the end of a line always."""
    lengths = _lengths(matrix)
    order = np.argsort(-lengths, kind="stable")
    kept = order[: np.count_nonzero(lengths)]
    end = dictionary.find(END_OF_LINE)
    if most:
        kept = kept[:most]
        if end >= 0 and end not in kept:
            kept[-1] = end
    elif end >= 0 and not lengths[end]:
        kept = np.append(kept, end)
    rows = np.sort(kept).astype(np.int64)
    moved = np.full(len(lengths), -1, np.int32)
    moved[rows] = np.arange(len(rows))
    return Selection(rows, _left(dictionary, rows), moved)


def _lengths(matrix: Matrix) -> NDArray[np.float32]:
    blocks = (matrix[begin : begin + _AT_ONCE] for begin in range(0, matrix.shape[0], _AT_ONCE))
    return np.concatenate([np.sqrt(np.einsum("ij,ij->i", block, block)) for block in blocks])


def _left(dictionary: Dictionary, rows: NDArray[np.int64]) -> Dictionary:
    """The words and buckets of these rows, and all labels."""
    words = len(dictionary.words)
    known = rows[rows < words].tolist()
    buckets = (rows[rows >= words] - words).tolist()
    if dictionary.kept is not None:
        old = {place: bucket for bucket, place in dictionary.kept.items()}
        buckets = [old[place] for place in buckets]
    return replace(
        dictionary,
        words=[dictionary.words[number] for number in known],
        counts=np.concatenate([dictionary.counts[known], dictionary.counts[words:]]),
        kept={bucket: place for place, bucket in enumerate(buckets)} if dictionary.ngrams.buckets else None,
    )


def quantised(
    file: FastTextFile, selection: Selection, chance: np.random.Generator, *, norms: bool, width: int, threads: int = 1
) -> FastTextFile:
    """`file` with the selected rows only, each part of `width` numbers a code; with `norms` lengths have their own."""
    rows = file.input[selection.rows]
    matrix = codebooks.quantise(rows, width, chance, norms=norms, threads=threads)
    return replace(file, dictionary=selection.dictionary, input=matrix)
