"""Vectors of words out of files as GloVe and gensim write them."""

import logging

import numpy as np
import pytest
from gensim.models import KeyedVectors

from sagedock.errors import UserError
from sagedock.topics import embeddings
from sagedock.topics.embeddings import VARIABLE

WORDS = ["pear", "Apple", "rocket", "unheard"]
VECTORS = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)


@pytest.fixture(params=["glove", "text", "binary"])
def file(request, tmp_path):
    """A file of vectors of four words, the last of which nobody asks for."""
    path = tmp_path / "vectors"
    vectors = KeyedVectors(5)
    vectors.add_vectors(["pear", "apple", "rocket", "other"], VECTORS)
    vectors.save_word2vec_format(str(path), binary=request.param == "binary", write_header=request.param != "glove")
    return path


def test_words_have_their_vectors_in_lower_case_too_and_others_zeros(file):
    found = embeddings.read(file, WORDS)
    assert np.allclose(found.vectors[:3], VECTORS[:3], atol=1e-6)
    assert not found.vectors[3].any()
    assert found.missing == 1


def test_the_log_tells_of_words_without_vectors(file, caplog):
    with caplog.at_level(logging.WARNING):
        assert embeddings.of_environment({VARIABLE: str(file)}, WORDS).missing == 1
    line = "1 out of 4 in vocabulary do not have embeddings! Default vector used for unknown embedding!"
    assert caplog.messages == [line]
    assert embeddings.of_environment({}, WORDS) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"pear 1 2\nrocket 1\n", r"line 2 of which has 1 numbers that are not 2"),
        (b"pear 1 x\n", r"line 1 of which has b'1 x"),
        (b"pear 1 nan\n", r"line 1 .*finite"),
        (b"pear\n", r"line 1 of which has a word and 0 numbers"),
        (b"2 99999999\npear 1\n", r"99999999 dimensions"),
        (b"2 " + b"9" * 5000 + b"\nother 1\n", r"no word of the vocabulary"),
        (b"2 2\npear \0\0\0\0", r"record 1 of which has its end in the midst"),
        (b"2 1\npear \0\0\xc0\x7f", r"record 1 of which has numbers that are not finite"),
        (b"other 1 2\n", r"no word of the vocabulary"),
        (b"", r"no word of the vocabulary"),
    ],
)
def test_what_holds_no_vectors_is_refused(tmp_path, content, message):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        embeddings.read(path, WORDS)


def test_a_file_that_is_not_there_is_refused_with_the_variable(tmp_path):
    with pytest.raises(UserError, match=rf"{VARIABLE} names .*none.* cannot be read"):
        embeddings.of_environment({VARIABLE: str(tmp_path / "none")}, WORDS)
