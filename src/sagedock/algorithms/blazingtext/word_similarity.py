"""Word vectors judged by WordSimilarity-353: how well cosines agree with people about the likeness of words.

Files and method are those of github.com/mfaruqui/eval-word-vectors, which the built-in has too: both words in lower
case, a pair is skipped where one of them has no vector, and Spearman's rank correlation over the others.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.embedding import Embedding
from sagedock.errors import UserError

log = logging.getLogger(__name__)

VARIABLE = "SAGEDOCK_WORDSIM_DIR"
FILES = ("EN-WS-353-ALL.txt", "EN-WS-353-REL.txt", "EN-WS-353-SIM.txt")
MEAN = "mean_rho"


@dataclass(frozen=True)
class Pairs:
    """Pairs of words and how alike people find them."""

    words: Sequence[tuple[str, str]]
    scores: NDArray[np.float64]
    """(pairs,)."""


def read(environment: Mapping[str, str]) -> dict[str, Pairs] | None:
    """The files of the directory that SAGEDOCK_WORDSIM_DIR names; None, with a line in the log, without one.

    Raises UserError for a directory that lacks a file, or a line that is no pair.
    """
    folder = environment.get(VARIABLE)
    if not folder:
        log.info("no evaluation by WS-353: %s names no directory with %s", VARIABLE, ", ".join(FILES))
        return None
    return {name: _pairs(Path(folder, name)) for name in FILES}


def evaluate(embedding: Embedding, files: Mapping[str, Pairs]) -> dict[str, Any]:
    """What eval.json holds: of each file the rank correlation, and how many pairs there are and were skipped."""
    spelled: dict[str, bytes] = {}
    for word in embedding.words:  # the most frequent spelling counts
        spelled.setdefault(word.decode("utf-8", "replace").lower(), word)
    found: dict[str, Any] = {name: _agreement(embedding, spelled, pairs) for name, pairs in files.items()}
    found[MEAN] = float(np.mean([facts["spearmans_rho"] for facts in found.values()]))
    return found


def text(evaluation: Mapping[str, Any]) -> str:
    """The evaluation as eval.json and the log show it."""
    return json.dumps(evaluation, indent=4, sort_keys=True)


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The rank correlation of two lists, equal values sharing their mean rank; 0 where one has no order."""
    ranks = [_ranks(values) for values in (first, second)]
    deviations = [each - each.mean() if len(each) else each for each in ranks]
    lengths = [float(np.sqrt((each**2).sum())) for each in deviations]
    return float((deviations[0] * deviations[1]).sum() / (lengths[0] * lengths[1])) if all(lengths) else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def _agreement(embedding: Embedding, spelled: Mapping[str, bytes], pairs: Pairs) -> dict[str, Any]:
    known = [place for place, words in enumerate(pairs.words) if all(word in spelled for word in words)]
    cosines = [_cosine(*(embedding.vector(spelled[word]) for word in pairs.words[place])) for place in known]
    return {
        "not_found": len(pairs.words) - len(known),
        "spearmans_rho": spearman(np.array(cosines, np.float64), pairs.scores[known]),
        "total_pairs": len(pairs.words),
    }


def _cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    length = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    return float(first @ second) / length if length else 0.0


def _pairs(file: Path) -> Pairs:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(
            f"cannot read {file} ({reason}): {VARIABLE} has to name a directory that holds {', '.join(FILES)}",
            field=VARIABLE,
        ) from error
    words, scores = [], []
    for number, line in enumerate(lines, start=1):
        parts = line.lower().split()
        try:
            first, second, score = parts
            scores.append(float(score))
        except ValueError as error:
            raise UserError(f"{file}, line {number}: not two words and a number", field=VARIABLE, row=number) from error
        words.append((first, second))
    return Pairs(words, np.array(scores, np.float64))
