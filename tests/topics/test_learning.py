"""A vocabulary learnt from texts, beside scikit-learn's, and its limits."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from sagedock.errors import UserError
from sagedock.topics import learning
from sagedock.topics.learning import Learner, Limits, choose, merged
from sagedock.topics.lexicon import Lexicon
from sagedock.topics.preparation import Preparation

PREPARED = Preparation(True, frozenset({"the"}), "english", 2)
WORDS = st.sampled_from(["dog", "dogs", "Dog", "cats", "cat", "the", "run", "running", "é", "é", "a", "x_y", "ok"])
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join), min_size=1, max_size=12)


def learn(texts, limits, preparation=PREPARED, at_once=1000, most=learning.MOST_WORDS):
    learner = Learner(preparation, most)
    for begin in range(0, len(texts), at_once):
        learner.feed("".join(f"{text}\n" for text in texts[begin : begin + at_once]))
    chosen = choose(learner.tally(), limits)
    return learner.documents(chosen.keys).of_size(len(chosen.words)), chosen


def settled(documents):
    return [part.tolist() for part in (documents.starts, documents.words, documents.counts)]


@given(TEXTS, st.integers(1, 5), st.integers(1, 3), st.sampled_from([0.5, 1.0]), st.sampled_from([1, 2, 100]))
def test_against_counting_one_word_after_the_other(texts, size, min_df, max_df, at_once):
    keyed = [Counter(PREPARED.keys(text)) for text in texts]
    documents = sum(bool(each) for each in keyed)
    holders, totals = Counter(key for each in keyed for key in each), sum(keyed, Counter())
    allowed = [key for key in totals if min_df <= holders[key] <= max_df * documents]
    if not allowed:
        with pytest.raises(UserError, match="_min_df"):
            learn(texts, Limits(size, min_df, max_df), at_once=at_once)
        return
    found, chosen = learn(texts, Limits(size, min_df, max_df), at_once=at_once)
    assert [totals[key] for key in chosen.keys] == sorted((totals[key] for key in allowed), reverse=True)[:size]
    pairs = list(zip(chosen.keys, chosen.words, strict=True))
    assert list(chosen.words) == [word for _, word in sorted((-totals[key], word) for key, word in pairs)]
    for key, word in pairs:
        assert PREPARED.keys(word) == [key]
    assert found.dense().tolist() == [[each[key] for key in chosen.keys] for each in keyed]
    assert all(np.all(np.diff(found.part(row, row + 1).words) > 0) for row in range(found.rows))


@given(TEXTS, st.integers(1, 8))
def test_a_request_is_prepared_exactly_as_training_did(texts, size):
    """Issue 6 item 4."""
    try:
        found, chosen = learn(texts, Limits(size))
    except UserError:
        return
    for keys in (chosen.keys, None):
        served = Lexicon(chosen.words, Preparation.from_json(PREPARED.json()), keys, much=keys is None)
        assert settled(served.documents(texts)) == settled(found)
        assert settled(served.documents(iter(texts))) == settled(found)


def test_against_scikit_learn(shared_texts):
    """The workshop's CountVectorizer: the same words and counts, where stop words and stems are out of it."""
    limits = Limits(500, 2, 0.95)
    found, chosen = learn(shared_texts, limits, Preparation(min_word_length=2), at_once=50)
    pattern = r"(?u)[^\W_]+"
    vectorizer = CountVectorizer(token_pattern=pattern, min_df=2, max_df=0.95)
    matrix = vectorizer.fit_transform(shared_texts)
    names = vectorizer.get_feature_names_out()
    letters = [n for n, name in enumerate(names) if name[0].isalpha() and 2 <= len(name) <= 64]
    totals = matrix.sum(axis=0).A1
    order = sorted(letters, key=lambda n: (-totals[n], names[n]))[:500]
    assert list(chosen.words) == [names[n] for n in order]
    assert np.array_equal(found.dense(), matrix[:, order].toarray())


@pytest.fixture(scope="module")
def shared_texts():
    rng = np.random.default_rng(5)
    words = [f"{'abcdefghij'[n % 10]}{n:x}" for n in range(3000)] + ["été", "naïve", "Übung", "x_y", "42", "z’s"]
    weights = 1 / np.arange(1, len(words) + 1)
    return [" ".join(rng.choice(words, 40, p=weights / weights.sum())) for _ in range(400)]


@given(TEXTS, TEXTS)
def test_the_tallies_of_two_hosts_make_that_of_one(first, second):
    parts = [Learner(PREPARED) for _ in range(3)]
    for learner, texts in zip(parts, (first, second, first + second), strict=True):
        learner.feed("".join(f"{text}\n" for text in texts))
    together, alone = merged(learner.tally() for learner in parts[:2]), parts[2].tally()
    assert together.documents == alone.documents
    assert {key: usage[:2] for key, usage in together.usages.items()} == {
        key: usage[:2] for key, usage in alone.usages.items()
    }
    for key, usage in together.usages.items():
        assert PREPARED.keys(usage.word) == [key]


def test_beyond_the_words_held_the_rarest_are_forgotten(caplog):
    texts = [f"often always w{number}" for number in range(60)]
    found, chosen = learn(texts, Limits(10), at_once=7, most=20)
    assert list(chosen.words[:2]) == ["always", "often"]
    assert found.dense()[:, :2].tolist() == [[1, 1]] * 60
    assert "are forgotten" in caplog.text


def test_words_of_a_list_that_no_text_can_hold_are_never_found():
    lexicon = Lexicon(["New York", "new", "New", "don't", "42nd"], Preparation())
    assert lexicon.documents(["new york NEW don't 42nd", ""]).dense().tolist() == [[0, 2, 0, 0, 0], [0] * 5]
