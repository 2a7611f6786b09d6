"""Hashes and n-grams against the golden values of the specification (blazingtext.md section 7.1)."""

from __future__ import annotations

import numpy as np
import pytest

from sagedock.algorithms.blazingtext import ngrams
from sagedock.algorithms.blazingtext.ngrams import Ngrams

BUCKETS = 2_000_000
WHERE = {
    "<wh": 167652,
    "<whe": 989715,
    "<wher": 1526707,
    "<where": 1071586,
    "whe": 420941,
    "wher": 312621,
    "where": 969176,
    "where>": 121234,
    "her": 1473420,
    "here": 1540811,
    "here>": 114991,
    "ere": 1529033,
    "ere>": 1568469,
    "re>": 867498,
}


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("the", 3020861980),
        ("where", 90969176),
        ("</s>", 3617362777),
        ("naïve", 3440832043),
        ("__label__1", 1406357688),
    ],
)
def test_hashes_are_those_of_fasttext(token: str, value: int) -> None:
    """blazingtext 4: FNV-1a with every byte extended by its sign, which shows where a text is not ASCII."""
    assert ngrams.fnv(token.encode()) == value


def test_the_character_ngrams_of_where_are_fasttexts() -> None:
    """blazingtext 4: fourteen n-grams of 3 to 6 characters, in order."""
    assert ngrams.subwords(b"where", Ngrams(BUCKETS, 3, 6)) == list(WHERE.values())
    assert ngrams.subwords(b"</s>", Ngrams(BUCKETS, 3, 6)) == []
    assert ngrams.subwords(b"where", Ngrams(BUCKETS)) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the movie was excellent", [[229059], [477063], [566079], [-1]]),
        ("a b c", [[152201, 806661], [857529, -1], [-1, -1]]),
    ],
)
def test_word_ngrams_are_fasttexts(words: str, expected: list[list[int]]) -> None:
    """blazingtext 5: bigrams and trigrams of hashes in 64 bits."""
    hashes = np.array([ngrams.fnv(word.encode()) for word in words.split()], np.uint32)
    longest = len(expected[0]) + 1
    assert ngrams.word_ngrams(hashes, Ngrams(BUCKETS, word_ngrams=longest)).tolist() == expected


def test_the_order_of_words_matters() -> None:
    """blazingtext 5: "movie the" differs from "the movie"."""
    there, back = (
        ngrams.word_ngrams(np.array([ngrams.fnv(word) for word in words], np.uint32), Ngrams(BUCKETS, word_ngrams=2))
        for words in ((b"the", b"movie"), (b"movie", b"the"))
    )
    assert there[0, 0] != back[0, 0]


@pytest.mark.parametrize("wrong", [{"max_char": 3}, {"word_ngrams": 2}, {"buckets": -1}, {"buckets": 2**31}])
def test_ngrams_need_buckets(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="buckets"):
        Ngrams(**wrong)


@pytest.mark.parametrize("wrong", [{"max_char": 101}, {"word_ngrams": 101}])
def test_ngrams_have_an_end(wrong: dict[str, int]) -> None:
    """Else a long line, or a long word, would have as many as the square of its length."""
    with pytest.raises(ValueError, match="100 at most"):
        Ngrams(1000, **wrong)
