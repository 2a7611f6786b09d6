"""What is done to words: case, stop words, stems; and that it is the same behind JSON."""

import json

import pytest
import snowballstemmer
from gensim.parsing.preprocessing import STOPWORDS
from hypothesis import given
from hypothesis import strategies as st

from sagedock.errors import ModelError
from sagedock.topics import preparation as preparations
from sagedock.topics.preparation import LANGUAGES, Preparation
from sagedock.topics.tokens import LONGEST_WORD

ENGLISH = Preparation(True, frozenset({"the", "over"}), "english", 3)
TEXT = "The Dogs jumped over 12 lazy, running dog's (x2 abc123) ÉCOLE"
PREPARATIONS = st.builds(
    Preparation,
    st.booleans(),
    st.frozensets(st.text(max_size=8)),
    st.sampled_from([None, *LANGUAGES]),
    st.integers(1, LONGEST_WORD),
)


def test_of_a_sentence():
    assert ENGLISH.keys(TEXT) == ["dog", "jump", "lazi", "run", "dog", "abc123", "école"]
    plain = Preparation(lower_case=False, stop_words=frozenset({"the"}))
    assert plain.keys("The THE tHen Dog") == ["tHen", "Dog"]


@given(PREPARATIONS, st.text(st.characters(exclude_categories=["Cs"])))
def test_behind_json_it_is_the_same(preparation, text):
    again = Preparation.from_json(json.loads(json.dumps(preparation.json())))
    assert again == preparation
    assert again.keys(text) == preparation.keys(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_stems_are_the_librarys(language):
    """Whether or not a faster stemmer is installed, which the library would take."""
    words = ["running", "häuser", "chevaux", "бегущий", "τρέχοντας", "koşuyorlar", "शहरों", "bambini"]
    stemmer = snowballstemmer.stemmer(language)
    prepared = Preparation(stemming=language)
    assert [prepared.key(word) for word in words] == stemmer.stemWords(words)


def test_every_language_of_the_library_is_known():
    assert {*LANGUAGES, "dutch_porter"} == set(snowballstemmer.algorithms())


def test_what_is_too_long_or_no_word_does_not_count():
    prepared = Preparation(min_word_length=2)
    assert prepared.keys(f"a bb 1b {'c' * LONGEST_WORD} {'d' * (LONGEST_WORD + 1)} ²d") == ["bb", "c" * LONGEST_WORD]


def test_english_stop_words_are_gensims_but_for_one_that_tells_topics_apart():
    assert STOPWORDS - preparations.english_stop_words() == {"computer"}


def test_a_list_of_stop_words_is_cut_as_texts_are():
    assert preparations.stop_words(["Don't", " und  ", "", "AUX"]) == {"don", "t", "und", "aux"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"stemming": "klingon"}, "stemming 'klingon'"),
        ({"stemming": ["english"]}, "stemming"),
        ({"min_word_length": 0}, "min_word_length 0"),
        ({"min_word_length": True}, "min_word_length"),
        ({"lower_case": 1}, "lower_case 1"),
        ({"stop_words": "the"}, "stop_words"),
        ({"stop_words": [1]}, "stop_words"),
    ],
)
def test_a_damaged_model_is_refused(change, expected):
    with pytest.raises(ModelError, match=expected):
        Preparation.from_json({**ENGLISH.json(), **change})
    with pytest.raises(ModelError):
        Preparation.from_json([])
