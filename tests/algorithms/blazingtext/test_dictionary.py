"""Dictionaries against fastText's own, of the same texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock.algorithms.blazingtext import corpus
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from tests.algorithms.blazingtext.corpora import in_blocks, supervised, texts, unsupervised

pytestmark = pytest.mark.usefixtures("way")

LEAST = "__label__1 the movie was excellent\n"


def dictionary_of(folder: Path, text: bytes, **given: Any) -> Dictionary:
    return corpus.read_examples([in_blocks(text, 7)], folder, **given).dictionary


def words_and_counts(model: Any, *, labels: bool = False) -> list[tuple[bytes, int]]:
    names, counts = (model.get_labels if labels else model.get_words)(include_freq=True)
    return list(zip([name.encode() for name in names], counts.tolist(), strict=True))


@settings(max_examples=60)
@given(texts, st.sampled_from([1, 2, 3]))
def test_words_labels_and_counts_are_fasttexts(tmp_path_factory: pytest.TempPathFactory, text: str, min_count: int):
    """Also their order where counts are equal."""
    folder = tmp_path_factory.mktemp("text")
    content = (text + 3 * LEAST).encode()
    model = supervised(folder, content, minCount=min_count)
    made = dictionary_of(folder, content, min_count=min_count, ngrams=Ngrams())
    counts = made.counts.tolist()
    assert list(zip(made.words, counts, strict=False)) == words_and_counts(model)
    assert list(zip(made.labels, counts[len(made.words) :], strict=True)) == words_and_counts(model, labels=True)


def test_thousands_of_words_have_fasttexts_order(tmp_path: Path) -> None:
    """Most counts are shared by many words."""
    random = np.random.default_rng(5)
    lines = [" ".join(f"w{number}" for number in random.zipf(1.3, 30) % 5000) for _ in range(2000)]
    content = "".join(f"__label__{random.integers(40)} {line}\n" for line in lines).encode()
    model = supervised(tmp_path, content)
    made = dictionary_of(tmp_path, content, min_count=1, ngrams=Ngrams())
    assert len(made.words) > 3000
    assert [word.decode() for word in made.words] == model.get_words()
    assert [label.decode() for label in made.labels] == model.get_labels()


@settings(max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), min_size=1, max_size=12))
def test_subwords_are_fasttexts(fasttext_words: Any, word: str) -> None:
    model, made = fasttext_words
    assert made.subwords(word.encode()) == model.get_subwords(word)[1].tolist()


def test_subwords_of_known_words_begin_with_their_own_row(fasttext_words: Any) -> None:
    model, made = fasttext_words
    assert "</s>" in model.get_words()
    for word in model.get_words():
        rows = made.subwords(word.encode())
        assert rows == model.get_subwords(word)[1].tolist()
        assert rows[0] == model.get_word_id(word)


@pytest.fixture(scope="module")
def fasttext_words(way: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Dictionary]:
    folder = tmp_path_factory.mktemp("words")
    content = "the movie was excellent\nnaïve 日本 </s> the\n".encode()
    model = unsupervised(folder, content, minn=2, maxn=5, bucket=997)
    made = corpus.read_sentences([[content]], folder, min_count=1, ngrams=Ngrams(997, 2, 5)).dictionary
    return model, made


@pytest.fixture(scope="module")
def fasttext_classes(way: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Dictionary]:
    """A model whose every row is different, so that the mean of some tells which they were."""
    folder = tmp_path_factory.mktemp("classes")
    content = (
        "__label__1 the movie was excellent\nnaïve __label__good 日本 the\nthe movie __label__1\n" + "rare the movie\n"
    ).encode()
    model = supervised(folder, content, minCount=2, wordNgrams=3, bucket=50, minn=2, maxn=3)
    rows = np.random.default_rng(3).normal(size=model.get_input_matrix().shape).astype(np.float32)
    model.set_matrices(rows, model.get_output_matrix())
    made = dictionary_of(folder, content, min_count=2, ngrams=Ngrams(50, 2, 3, 3))
    assert rows.shape[0] == made.rows
    return model, made


@given(texts)
def test_the_rows_of_a_line_are_fasttexts(fasttext_classes: Any, text: str) -> None:
    """Words that are not known have character n-grams, and take part in word n-grams; labels do neither."""
    model, made = fasttext_classes
    line = text.replace("\n", " ")
    rows, _ = made.line(line.encode())
    expected = model.get_sentence_vector(line)
    assert np.allclose(model.get_input_matrix()[rows].mean(axis=0), expected, atol=1e-5)


@given(texts)
def test_the_labels_of_a_line_are_fasttexts(fasttext_classes: Any, text: str) -> None:
    model, made = fasttext_classes
    line = text.replace("\n", " ")
    _, labels = made.line(line.encode())
    assert [made.labels[label].decode() for label in labels] == model.get_line(line)[1]


def test_a_pruned_dictionary_has_the_rows_that_were_kept() -> None:
    """Those of fastText's quantised models with a cut-off."""
    whole = Dictionary([b"</s>", b"a"], [], np.array([2, 1]), 3, Ngrams(100, word_ngrams=2))
    bucket = whole.line(b"a b")[0][2] - 2
    pruned = Dictionary(whole.words, [], whole.counts, 3, whole.ngrams, kept={bucket: 1, (bucket + 1) % 100: 0})
    assert whole.line(b"a b")[0][:2] == pruned.line(b"a b")[0][:2] == [1, 0]
    assert pruned.line(b"a b")[0][2:] == [3]
    assert (pruned.rows, whole.rows) == (4, 102)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="counts"):
        Dictionary([b"a"], [b"__label__1"], np.array([1]), 1)
    with pytest.raises(ValueError, match="place"):
        Dictionary([b"a"], [], np.array([1]), 1, Ngrams(10, word_ngrams=2), kept={3: 1})
