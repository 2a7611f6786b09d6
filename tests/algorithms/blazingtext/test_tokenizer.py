"""Lower-casing and tokenising: the rules, with the compiled core and without it, in one piece and in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock import core
from sagedock.algorithms.blazingtext import tokenizer as module
from sagedock.algorithms.blazingtext.tokenizer import TABLE_SIZE, Tokenizer, kinds, letters
from sagedock.algorithms.blazingtext.vocabulary import LONGEST_TOKEN
from sagedock.errors import UserError
from tests.without_core import without_core

WAYS = [Tokenizer(lower_case=True, tokenise=True), Tokenizer(tokenise=True), Tokenizer(lower_case=True), Tokenizer()]
BOTH = WAYS[0]


@pytest.fixture(params=["core", "python"])
def rewrite(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Rewriting a text, with the core and without it."""
    if request.param == "core" and core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    if request.param == "python":
        monkeypatch.setattr(core, "native", None)

    def rewrite(text: str, *, lower_case: bool = True, tokenise: bool = True) -> str:
        return Tokenizer(lower_case, tokenise).rewrite(text.encode()).decode()

    return rewrite


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  World!", "hello , world !"),
        ("  it's 3.5%\tof\r\nsnake_case ", "it ' s 3 . 5 % of\nsnake_case"),
        ("ÄÖÜ Straße ΣΑΣ İstanbul Ⱥ", "äöü straße σασ istanbul ⱥ"),
        ("東京へ行く", "東 京 へ 行 く"),
        ("हिन्दी भाषा, नमस्ते", "हिन्दी भाषा , नमस्ते"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("ok👍🏽!\u2764\ufe0f", "ok 👍 🏽 ! \u2764"),
        ("a\u00a0b\u3000c\u2028d\u200be\x00f", "a b c d e f"),
        ("e\u0301 cafe\u0301s", "e\u0301 cafe\u0301s"),
        ("\ue000\U0002a700\U000e0100x", "\ue000 \U0002a700 \U000e0100 x"),
        ("", ""),
        ("\n\n", "\n\n"),
    ],
)
def test_tokens_are_set_apart_and_lower(rewrite: Callable[..., str], text: str, expected: str) -> None:
    assert rewrite(text) == expected


def test_lower_case_alone_leaves_blanks_and_marks(rewrite: Callable[..., str]) -> None:
    assert rewrite("  Hello,\tWORLD!\r\n É", tokenise=False) == "  hello,\tworld!\r\n é"


def test_tokens_alone_keep_their_capitals(rewrite: Callable[..., str]) -> None:
    assert rewrite("Hello,World", lower_case=False) == "Hello , World"


def test_labels_stay_as_they_are(rewrite: Callable[..., str]) -> None:
    """Also those that stand between words; not one that is glued to a word."""
    text = "__label__Sci/Tech Good (News) __label__A,B\t__label__C\nx__label__D __Label__E"
    expected = "__label__Sci/Tech good ( news ) __label__A,B __label__C\nx__label__d __label__e"
    assert rewrite(text) == expected
    lowered = "__label__Sci/Tech good (news) __label__A,B\t__label__C\nx__label__d __label__e"
    assert rewrite(text, tokenise=False) == lowered


def test_bytes_that_are_no_text_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"A\xff\xc3B \xed\xa0\x80 \xe6\x9dX \xf4\x90\x80\x80 \xc0\xaf"
    expected = b"a\xff\xc3b \xed\xa0\x80 \xe6\x9dx \xf4\x90\x80\x80 \xc0\xaf"
    assert Tokenizer(lower_case=True, tokenise=True).rewrite(text) == expected
    monkeypatch.setattr(core, "native", None)
    assert Tokenizer(lower_case=True, tokenise=True).rewrite(text) == expected


PIECES = st.sampled_from(
    ["__label__", "__label__a ", " ", "\n", "\t", "\0", "İ", "Ⱥ", "é", "ß", "東", "ー", "\u0301", "'"]
)
TEXTS = st.lists(
    st.one_of(PIECES.map(str.encode), st.text().map(lambda text: text.encode("utf-8", "replace")), st.binary())
).map(b"".join)


@settings(max_examples=400)
@given(TEXTS)
def test_the_core_and_python_write_the_same(text: bytes) -> None:
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    compiled = [way.rewrite(text) for way in WAYS]
    with without_core():
        assert [Tokenizer(way.lower_case, way.tokenise).rewrite(text) for way in WAYS] == compiled


@settings(max_examples=200)
@given(TEXTS, st.lists(st.integers(0, 60), max_size=5))
def test_blocks_cut_anywhere_have_the_tokens_of_the_whole(text: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    blocks = [text[begin:end] for begin, end in pairwise(places)]
    whole = [line.split() for line in BOTH.rewrite(text).split(b"\n")]
    assert [line.split() for line in b"".join(BOTH.blocks(blocks)).split(b"\n")] == whole


@settings(max_examples=100)
@given(TEXTS)
def test_rewriting_twice_is_rewriting_once(text: bytes) -> None:
    """What was tokenised beforehand is served like raw text."""
    assert BOTH.rewrite(BOTH.rewrite(text)) == BOTH.rewrite(text)


def test_every_character_of_the_table_is_written_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"\n".join(chr(code).encode("utf-8", "replace") for code in range(TABLE_SIZE) if code != ord("\n"))
    compiled = Tokenizer(lower_case=True, tokenise=True).rewrite(text)
    monkeypatch.setattr(core, "native", None)
    assert Tokenizer(lower_case=True, tokenise=True).rewrite(text) == compiled


def test_letters_are_pythons() -> None:
    """Of each character by itself; only U+0130 has two small letters, of which the first is taken."""
    wrong = [
        code
        for code in range(TABLE_SIZE)
        if not 0xD800 <= code < 0xE000 and chr(code).lower()[0] != chr(letters()[code])
    ]
    assert wrong == []
    assert np.array_equal(letters()[letters()], letters())
    assert set(kinds()) == {0, 1, 2}


def test_the_manifest_names_what_was_done() -> None:
    for way in WAYS:
        assert Tokenizer.of_facts(way.facts) == way
    assert Tokenizer.of_facts({"text": "yes"}) == Tokenizer()
    assert Tokenizer.of_facts({"text": {"lower_case": "true"}}) == Tokenizer()
    assert not Tokenizer().facts


def test_a_token_of_absurd_length_is_refused() -> None:
    block = b"x" * (LONGEST_TOKEN // 4)
    with pytest.raises(UserError, match="without a space"):
        list(BOTH.blocks([block] * 5))


@pytest.mark.parametrize("entry", [3 << 24, 0x110000, 0x10FFFF])
def test_a_table_that_would_overflow_is_refused(entry: int) -> None:
    """U+10FFFF takes four bytes where ASCII takes one."""
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    with pytest.raises(ValueError, match="table"):
        core.native.Tokenizer(np.array([0, entry], np.uint32), True)


def test_nothing_is_done_where_nothing_is_asked() -> None:
    assert Tokenizer().rewrite(b"As  It Is") == b"As  It Is"
    assert list(Tokenizer().blocks([b"As ", b"It"])) == [b"As ", b"It"]
    assert module.SEPARATOR == 0
