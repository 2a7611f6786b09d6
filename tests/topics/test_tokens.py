"""Texts cut into words: the fast way over blocks gives what the definition says, for any text."""

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.topics import tokens
from sagedock.topics.tokens import ENDED, NO_WORD

AWKWARD = st.text(
    st.one_of(
        st.sampled_from("aBcé Ünïß_-'’.,\n\x01\0\r\t\u2028\u0301İΣσς1٣²ख़िаЖ字。ไทย\U0001f600\U000e0100"),
        st.characters(exclude_categories=["Cs"]),
    )
)


def by_definition(text: str, lower_case: bool) -> list[str]:
    """Character by character: a letter or digit begins a word, marks go on with it, all else ends it."""
    pieces, piece = [], ""
    for character in f"{text} ":
        if ord(character) >= 128 or character.isalnum():
            piece += character
        elif piece:
            pieces.append(piece.lower() if lower_case else piece)
            piece = ""
    found = []
    for each in pieces:
        word = ""
        for character in f"{unicodedata.normalize('NFC', each)} ":
            if character.isalnum() or (word and unicodedata.category(character).startswith("M")):
                word += character
            elif word:
                found.append(word)
                word = ""
    return found


@given(AWKWARD, st.booleans())
def test_words_are_runs_of_letters_digits_and_marks(text, lower_case):
    assert tokens.words(text, lower_case=lower_case) == by_definition(text, lower_case)


@pytest.mark.parametrize("way", [tokens.of_channel, tokens.of_requests])
@given(st.lists(AWKWARD, min_size=1), st.booleans(), st.sampled_from([0, 3, 1000]))
def test_the_numbers_of_a_block_are_those_of_its_words(way, texts, lower_case, remembered):
    """Whatever is remembered or forgotten between blocks."""
    given: dict[str, int] = {}

    def number(word):
        return NO_WORD if word.startswith("a") else given.setdefault(word, len(given))

    lines = [text.replace("\n", " ") for text in texts]
    numbers = way(number, lower_case=lower_case, remembered=remembered)
    for _ in range(2):
        found = np.concatenate([numbers.of(f"{line}\n") for line in lines])
        assert np.array_equal(found, np.concatenate([found[:0], numbers.of("".join(f"{line}\n" for line in lines))]))
        expected = []
        for line in lines:
            expected += [number(word) for word in by_definition(line, lower_case)] + [ENDED]
        assert [n for n in found.tolist() if n != NO_WORD] == [n for n in expected if n != NO_WORD]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't  stop—NOW, naïve_cafe\u0301!", ["don", "t", "stop", "now", "naïve", "café"]),
        ("“हिन्दी” भाषा", ["हिन्दी", "भाषा"]),
        ("x2 2x 42", ["x2", "2x", "42"]),
        ("ΟΔΟΣ Straße", ["οδος", "straße"]),
        ("", []),
        ("... -- \t", []),
    ],
)
def test_of_some_texts(text, expected):
    assert tokens.words(text, lower_case=True) == expected


def test_no_mark_of_unicode_lies_elsewhere():
    marks = {p for p in range(sys.maxunicode + 1) if unicodedata.category(chr(p)).startswith("M")}
    assert marks <= {place for part in tokens._MARKS_LIE_IN for place in part}


def test_a_long_piece_is_not_kept():
    numbers = tokens.of_requests(len, lower_case=True)
    assert numbers.of(f"{'a' * 1000} b\n").tolist() == [1000, 1, ENDED]
    assert max(map(len, numbers)) == 1
