"""vectors.txt: the same numbers again, here and in gensim, and nothing hostile believed."""

from __future__ import annotations

from pathlib import Path

import gensim
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sagedock.algorithms.blazingtext import vectors_file
from sagedock.contracts import signatures
from sagedock.errors import ModelError

WORDS = [b"the", "naïve".encode(), "日本".encode(), b"</s>", b"\xff\xfe"]
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def write(file: Path, words: list[bytes], values: np.ndarray) -> None:
    vectors_file.write(file, words, lambda begin, end: values[begin:end], values.shape[1])


def test_the_bytes_of_a_file(tmp_path: Path) -> None:
    """blazingtext 6: the first line is "N dim"; nine significant digits."""
    write(tmp_path / "v.txt", [b"a", b"b"], np.array([[1, -0.1], [1e-20, 123456789]], np.float32))
    assert (tmp_path / "v.txt").read_bytes() == (b"2 2\na 1 -0.100000001\nb 9.99999968e-21 123456792\n")


@given(values=arrays.arrays(np.float32, st.tuples(st.just(len(WORDS)), st.integers(1, 6)), elements=FLOATS))
def test_any_numbers_come_back(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    file = tmp_path_factory.getbasetemp() / "any.txt"
    write(file, WORDS, values)
    found = vectors_file.read(file)
    assert found.words == WORDS
    assert np.array_equal(found.values, values)


def test_gensim_reads_the_same_vectors(tmp_path: Path) -> None:
    """Issue 5 item 1, blazingtext 6: to 1e-5, here to the bit."""
    values = np.random.default_rng(0).standard_normal((3000, 20)).astype(np.float32)
    words = [b"word%d" % number for number in range(3000)]
    write(tmp_path / "v.txt", words, values)
    found = gensim.models.KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"))
    assert found.index_to_key == [word.decode() for word in words]
    assert np.array_equal(found.vectors, values)


def test_what_gensim_wrote_is_read(tmp_path: Path) -> None:
    keyed = gensim.models.KeyedVectors(4)
    values = np.random.default_rng(1).standard_normal((50, 4)).astype(np.float32)
    keyed.add_vectors([f"wörd{number}" for number in range(50)], values)
    keyed.save_word2vec_format(str(tmp_path / "v.txt"), binary=False)
    found = vectors_file.read(tmp_path / "v.txt")
    assert found.words == [f"wörd{number}".encode() for number in range(50)]
    assert np.array_equal(found.values, values)


def test_fasttexts_spaces_at_the_ends_of_lines_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"2 2\na 1 2 \nb 3 4 \n")
    assert vectors_file.read(tmp_path / "v.txt").values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1"),
        (b"a b\n", "line 1"),
        (b"-1 2\n", "line 1"),
        (b"1 0\na\n", "line 1"),
        (b"9999999999 300\na 1\n", "line 1.*cannot stand in"),
        (b"1 999999999\na 1\n", "line 1.*cannot stand in"),
        (b"2 2\na 1 2\n", "line 1.*cannot stand in|it ends after 1 of 2"),
        (b"2 2\na 1 2\nb 1 2 3\n", "line 3.*3 numbers, not 2"),
        (b"1 2\na 1 x\n", "line 2"),
        (b"1 2\na 1 2\nb 3 4\n", "line 3.*more lines than the 1"),
        (b"1 2\na 1  2\n", "line 2"),
    ],
)
def test_what_is_no_file_of_vectors_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(ModelError, match=says):
        vectors_file.read(tmp_path / "v.txt")


def test_the_kind_of_the_file_is_known_by_its_beginning(tmp_path: Path) -> None:
    write(tmp_path / "v.txt", WORDS, np.zeros((len(WORDS), 2), np.float32))
    assert signatures.recognise(tmp_path / "v.txt") is signatures.WORD_VECTORS
