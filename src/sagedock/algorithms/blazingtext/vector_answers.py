"""Answers that are made of vectors, extensions of sagedock: neighbours, analogies, and the vectors of sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.blazingtext.dictionary import tokens_of
from sagedock.algorithms.blazingtext.embedding import Embedding
from sagedock.algorithms.blazingtext.neighbours import Neighbourhood, analogy, known, unit_of
from sagedock.algorithms.blazingtext.requests import ANALOGY, NEIGHBOURS, Question
from sagedock.algorithms.blazingtext.tokenizer import Tokenizer

Floats = NDArray[np.float32]


def mean_direction(embedding: Embedding, text: bytes) -> Floats:
    """fastText's sentence vector of word vectors: the mean of the words' directions; zeros for no known word."""
    found = [unit_of(vector) for word in tokens_of(text) if (vector := embedding.vector(word)).any()]
    return np.mean(found, axis=0, dtype=np.float32) if found else np.zeros(embedding.dim, np.float32)


@dataclass(frozen=True)
class VectorAnswers:
    """`sentence` makes the vector of a text, which is another thing for a classifier than for word vectors."""

    embedding: Embedding
    sentence: Callable[[bytes], Floats]
    tokenizer: Tokenizer

    def answer(self, question: Question) -> Mapping[str, Any]:
        """The answer to a question that is no plain text. Raises UserError for a word that is not known."""
        if question.kind == NEIGHBOURS:
            return {"word": _text(question.text), "neighbours": self._near([question.text], self._vector, question.k)}
        if question.kind == ANALOGY:
            return {
                "analogy": [_text(word) for word in question.words],
                "neighbours": self._near(question.words, self._vector, question.k),
            }
        vector = self.sentence(self.tokenizer.rewrite(question.text))
        return {"sentence": _text(question.text), "vector": vector.tolist()}

    def _near(self, words: Sequence[bytes], vector: Callable[[bytes], Floats], k: int) -> list[dict[str, Any]]:
        vectors = [vector(word) for word in words]
        direction = vectors[0] if len(vectors) == 1 else analogy(*vectors)
        asked = [number for word in words if (number := self._numbers.get(self._spelt(word), -1)) >= 0]
        found = self._neighbourhood.nearest(direction, k, without=asked)
        return [{"word": _text(self.embedding.words[each.word]), "similarity": each.similarity} for each in found]

    def _vector(self, word: bytes) -> Floats:
        return known(self.embedding.vector(self._spelt(word)), _text(word))

    def _spelt(self, word: bytes) -> bytes:
        return Tokenizer(lower_case=True).rewrite(word) if self.tokenizer.lower_case else word

    @cached_property
    def _numbers(self) -> Mapping[bytes, int]:
        return {word: number for number, word in enumerate(self.embedding.words)}

    @cached_property
    def _neighbourhood(self) -> Neighbourhood:
        return Neighbourhood(len(self.embedding.words), self.embedding.vectors)


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")
