"""Corpora: every line in numbers, whatever the text holds and wherever its blocks are cut."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock.algorithms.blazingtext import corpus
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.algorithms.blazingtext.dictionary import tokens_of
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.vocabulary import CUT, vocabulary
from sagedock.errors import UserError
from tests.algorithms.blazingtext.corpora import in_blocks, texts

pytestmark = pytest.mark.usefixtures("way")

LEAST = "__label__1 the movie was excellent\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


def parts(values: Any, starts: Any) -> list[list[int]]:
    return [values[begin:end].tolist() for begin, end in pairwise(starts)]


def lines_of(text: str) -> list[bytes]:
    """The lines as fastText sees them: `</s>` in the text ends one as well."""
    return text.encode().replace(b"\0", b" ").split(b"\n")


def read(folder: Path, *texts: bytes, min_count: int = 1, **ngrams: int) -> Examples:
    return corpus.read_examples([[text] for text in texts], folder, min_count=min_count, ngrams=Ngrams(**ngrams))


@settings(max_examples=150)
@given(
    texts, st.sampled_from([1, 2, 3]), st.integers(1, 40), st.sampled_from([(0, 0, 2), (0, 0, 3), (2, 3, 2), (0, 0, 1)])
)
def test_an_examples_rows_are_those_of_its_line(folder: Path, text: str, min_count: int, block: int, lengths: Any):
    """Training and prediction cannot differ: both have the rows that the dictionary gives a line."""
    content = text.replace("</s>", "s") + 3 * LEAST
    blocks = in_blocks(content.encode(), block)
    ngrams = Ngrams(1000, *lengths)
    found = corpus.read_examples([blocks], folder, min_count=min_count, ngrams=ngrams)
    expected = [found.dictionary.line(line) for line in content.encode().split(b"\n")[:-1]]
    expected = [(rows, labels) for rows, labels in expected if rows and labels]
    assert parts(found.seen[found.rows], found.starts) == [rows for rows, _ in expected]
    assert parts(found.labels, found.label_starts) == [labels for _, labels in expected]


@settings(max_examples=100)
@given(texts, st.integers(1, 40), st.integers(1, 3))
def test_sentences_are_the_known_words_of_the_lines(folder: Path, text: str, block: int, min_count: int):
    content = (text.replace("</s>", "s") + 3 * LEAST).encode()
    found = corpus.read_sentences([in_blocks(content, block)], folder, min_count=min_count)
    counts = Counter(token for line in content.split(b"\n") for token in tokens_of(line))
    expected = [
        [token for token in [*tokens_of(line), b"</s>"] if counts[token] >= min_count or token == b"</s>"]
        for line in content.split(b"\n")[:-1]
    ]
    words = [[found.dictionary.words[number] for number in line] for line in parts(found.words, found.starts)]
    ends_known = b"</s>" in found.dictionary.words
    expected = [
        [token for token in line if not token.startswith(b"__label__") and (ends_known or token != b"</s>")]
        for line in expected
    ]
    assert words == [line for line in expected if line]


@pytest.mark.parametrize("part", [7, 1 << 20])
def test_long_lines_become_sentences_of_1024_words(folder: Path, monkeypatch: pytest.MonkeyPatch, part: int):
    """blazingtext 26: 3000 tokens on a line, and none of them is lost."""
    monkeypatch.setattr(corpus, "_PART", part)
    text = " ".join(f"w{number % 7}" for number in range(3000)) + "\n" + "w1 w2\n"
    found = corpus.read_sentences([in_blocks(text.encode(), 100)], folder, min_count=1)
    assert np.diff(found.starts).tolist() == [1024, 1024, 3001 - 2 * 1024, 3]
    assert found.dictionary.tokens == 3004 == len(found.words)


def test_a_text_may_end_without_a_line_feed(folder: Path) -> None:
    """Then its last line has no `</s>`, as in fastText, and the next text begins a new line."""
    found = read(folder, b"__label__1 a b", b"c __label__2\n")
    words = [[found.dictionary.words[row] for row in line] for line in parts(found.seen[found.rows], found.starts)]
    assert words == [[b"a", b"b"], [b"c", b"</s>"]]
    assert found.token_starts.tolist() == [0, 3, 6]
    assert found.dictionary.tokens == 6


def test_a_literal_end_of_line_ends_it(folder: Path) -> None:
    """As fastText has it."""
    found = read(folder, b"__label__1 a </s> b __label__2\n", word_ngrams=2, buckets=1000)
    assert len(found.starts) == 3
    assert found.labels.tolist() == [0, 1]


def test_lines_without_labels_are_counted(folder: Path) -> None:
    """Issue 5, bad input: no label on a line. Blank lines are none."""
    found = read(folder, b"__label__1 a\n\n", b"  \nwithout one\nb __label__2\nand another\n")
    assert (found.unlabelled, found.first_unlabelled, found.unseen) == (2, 4, 0)
    assert len(found.starts) == 3


def test_labels_that_training_did_not_see_are_counted(folder: Path, tmp_path: Path) -> None:
    """Issue 5, bad input: a label never seen in training. What else the line has counts."""
    known = read(folder, b"__label__1 a b\n__label__2 c\n").dictionary
    found = corpus.encode_examples([[b"__label__3 a\n__label__3 __label__2 a x\nno label\n"]], tmp_path, known)
    assert (found.unseen, found.unlabelled, found.first_unlabelled) == (1, 1, 3)
    assert parts(found.labels, found.label_starts) == [[known.labels.index(b"__label__2")]]
    assert parts(found.seen[found.rows], found.starts) == [[known.find(b"a"), known.find(b"</s>")]]


@pytest.mark.parametrize("part", [5, 1 << 20])
def test_lines_stay_whole_where_parts_end(folder: Path, monkeypatch: pytest.MonkeyPatch, part: int):
    text = b"".join(b"__label__%d w%d x y\n" % (number % 3, number % 5) for number in range(40)) + b"no label\n"
    whole = read(folder, text, text, word_ngrams=3, buckets=100)
    expected = (
        parts(whole.seen[whole.rows], whole.starts),
        whole.labels.tolist(),
        whole.unlabelled,
        whole.first_unlabelled,
    )
    monkeypatch.setattr(corpus, "_PART", part)
    again = read(folder, text, text, word_ngrams=3, buckets=100)
    assert (
        parts(again.seen[again.rows], again.starts),
        again.labels.tolist(),
        again.unlabelled,
        again.first_unlabelled,
    ) == expected
    assert expected[2:] == (2, 41)


def test_invalid_utf_8_is_a_token_like_any_other(folder: Path) -> None:
    """Issue 5, bad input: invalid UTF-8."""
    found = read(folder, b"__label__\xff a\xc3 \x80\x80 \xf0\x9f\n")
    assert sorted(found.dictionary.words) == sorted([b"a\xc3", b"\x80\x80", b"\xf0\x9f", b"</s>"])
    assert found.dictionary.labels == [b"__label__\xff"]


@pytest.mark.parametrize("separator", [b"", b" "])
def test_a_line_of_ten_million_characters_is_read(folder: Path, separator: bytes) -> None:
    """Issue 5, bad input: a line of 10 million characters, of one word or of five million."""
    line = b"__label__1 " + (b"x" + separator) * (10_000_000 // (1 + len(separator))) + b"\n"
    found = corpus.read_examples([in_blocks(line, 1 << 20)], folder, min_count=1, ngrams=Ngrams(1000, word_ngrams=2))
    assert len(found.starts) == 2
    assert len(found.rows) == (3 if not separator else 10_000_001)


def test_a_token_without_end_is_refused_before_memory_is_full(folder: Path) -> None:
    endless = (bytes(b"x" * (1 << 24)) for _ in range(1000))
    with pytest.raises(UserError, match="more than 64 MiB without a space"):
        corpus.read_examples([endless], folder, min_count=1, ngrams=Ngrams())


@pytest.mark.parametrize(
    ("text", "min_count"), [(b"", 1), (b"\n\n", 0), (b"__label__1 a b\n", 2), (b"__label__1\n", 1)]
)
def test_a_vocabulary_without_words_is_refused(folder: Path, text: bytes, min_count: int) -> None:
    """Issue 5, bad input: an empty file, and min_count that leaves no words."""
    with pytest.raises(UserError, match="no word comes at least min_count=") as caught:
        read(folder, text, min_count=min_count)
    assert caught.value.field == "min_count"


def test_more_rows_than_can_be_numbered_are_refused(folder: Path) -> None:
    """Rows have numbers of 32 bits with a sign; those of the last buckets would be negative."""
    for make in (corpus.read_examples, corpus.read_sentences):
        with pytest.raises(UserError, match="2147483645 and the 4 words") as caught:
            make([[b"__label__1 a b c\n"]], folder, min_count=1, ngrams=Ngrams(2**31 - 3, word_ngrams=2))
        assert caught.value.field == "buckets"


@given(st.lists(st.integers(0, 30), max_size=300), st.integers(2, 12), st.integers(1, 20))
def test_the_rarest_tokens_are_forgotten_where_there_are_too_many(numbers: list[int], most: int, block: int):
    """Token by token, as fastText does beyond three quarters of its table, whatever the blocks."""
    text = b" ".join(b"\n" if number == 7 else b"w%d" % number for number in numbers) + b" "
    made = vocabulary(b"__label__", most_tokens=most)
    read = [made.feed(piece) for piece in in_blocks(text, block)] + [made.end()]
    counts: dict[bytes, int] = {}
    least = 1
    for token in text.replace(b"\n", b" </s> ").split():
        counts[token] = counts.get(token, 0) + 1
        if len(counts) > most:
            least += 1
            counts = {token: count for token, count in counts.items() if count >= least}
    counted = made.counted(1)
    assert dict(zip(counted.words, counted.counts.tolist(), strict=True)) == counts
    assert np.concatenate(read)[-1] == CUT
    final = [counted.final[number] for number in np.concatenate(read)[:-1]]
    tokens = text.replace(b"\n", b" </s> ").split()
    for number, token in zip(final, tokens, strict=True):
        assert number == -1 or counted.words[number] == token
