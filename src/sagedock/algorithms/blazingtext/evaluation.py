"""How good word vectors are: their similarities beside those that people gave (WS-353), and analogies.

The three files and the method are those of eval-word-vectors (Faruqui and Dyer, Community Evaluation and Exchange of
Word Vectors at wordvectors.org, 2014), which BlazingText uses too: words in lower case, cosines, Spearman's rank
correlation over the pairs of which both words have a vector.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.vectors import Floats
from sagedock.errors import UserError

log = logging.getLogger(__name__)

FILES = ("EN-WS-353-ALL.txt", "EN-WS-353-REL.txt", "EN-WS-353-SIM.txt")
VARIABLE = "SAGEDOCK_WORDSIM_DIR"
"""The environment variable that names the folder of these files, which no image carries."""


@dataclass(frozen=True)
class Pair:
    """Two words, and how similar people find them."""

    first: bytes
    second: bytes
    similarity: float


def read_pairs(folder: Path | None) -> dict[str, Sequence[Pair]] | None:
    """The pairs of each file in `folder`; None, after one log line, when there is no folder or a file is absent.

    Raises UserError for a line that is not two words and a number.
    """
    if folder is None:
        log.info("Word embeddings are not evaluated: %s names no folder with %s", VARIABLE, ", ".join(FILES))
        return None
    absent = [name for name in FILES if not (folder / name).is_file()]
    if absent:
        log.info("Word embeddings are not evaluated: %s is %s, which lacks %s", VARIABLE, folder, ", ".join(absent))
        return None
    return {name: _pairs(folder / name) for name in FILES}


def evaluate(ids: Mapping[bytes, int], vectors: Floats, pairs: Mapping[str, Sequence[Pair]]) -> dict[str, Any]:
    """What eval.json holds: for each file the pairs, those not found and Spearman's rho, and the mean of the rhos.

    `ids` says which row of `vectors` (words, dim) is a word's.
    """
    found = {name: _evaluate(ids, vectors, some) for name, some in pairs.items()}
    mean = float(np.mean([each["spearmans_rho"] for each in found.values()])) if found else 0.0
    return {**found, "mean_rho": mean}


def spearman(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Spearman's rank correlation; equal values share their mean rank. 0 where one side has no two different values."""
    if not len(first):
        return 0.0
    one, other = (ranks - ranks.mean() for ranks in (_ranks(first), _ranks(second)))
    spread = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / spread) if spread > 0 else 0.0


def analogies(words: Sequence[bytes], vectors: Floats, questions: Path, most: int = 30_000) -> float:
    """The share of questions "a is to b as c is to ...?" answered right, as gensim judges among the `most` first words.

    `questions` is a file such as word2vec's questions-words.txt; those with an unknown word do not count.
    """
    from gensim.models import KeyedVectors

    known = KeyedVectors(vectors.shape[1])
    known.add_vectors([word.decode(errors="replace") for word in words], vectors)
    score, _ = known.evaluate_word_analogies(str(questions), restrict_vocab=most)
    return float(score)


def _pairs(path: Path) -> list[Pair]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return [_pair(path, row, line.split()) for row, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _pair(path: Path, row: int, parts: Sequence[str]) -> Pair:
    try:
        first, second, number = parts
        similarity = float(number)
    except ValueError:
        raise UserError(
            f"{path}, line {row} is {' '.join(parts)[:80]!r}: it must be two words and how similar they are, a number",
            row=row,
        ) from None
    return Pair(first.lower().encode(), second.lower().encode(), similarity)


def _evaluate(ids: Mapping[bytes, int], vectors: Floats, pairs: Sequence[Pair]) -> dict[str, float | int]:
    known = [pair for pair in pairs if pair.first in ids and pair.second in ids]
    first = vectors[np.array([ids[pair.first] for pair in known], np.int64)]
    second = vectors[np.array([ids[pair.second] for pair in known], np.int64)]
    given = np.array([pair.similarity for pair in known])
    return {
        "not_found": len(pairs) - len(known),
        "spearmans_rho": spearman(given, _cosines(first, second)),
        "total_pairs": len(pairs),
    }


def _cosines(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Of each row with its counterpart; 0 where one is all zeros."""
    products = (first.astype(np.float64) * second).sum(axis=1)
    lengths = np.linalg.norm(first.astype(np.float64), axis=1) * np.linalg.norm(second.astype(np.float64), axis=1)
    cosines: NDArray[np.float64] = products / np.where(lengths > 0, lengths, 1)
    return cosines


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """The rank of each value, from 1; equal ones have the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return means
