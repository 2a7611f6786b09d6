"""What BlazingText is asked, in each of its request types, and what is no question (blazingtext.md section 4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.blazingtext import requests
from sagedock.algorithms.blazingtext.requests import Question
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats.media_types import parse_media_type

NESTED: Any = json.loads("[" * 300 + "]" * 300)  # JSON of such depth is read, and cannot be written
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def decode(body: bytes | str, content_type: str) -> list[Question]:
    content = body.encode() if isinstance(body, str) else body
    return list(requests.decode(content, parse_media_type(content_type)).items)


@given(st.lists(TEXTS, max_size=5), st.integers(1, 2**40))
def test_instances(texts: list[str], k: int) -> None:
    """blazingtext 10, 11"""
    for configuration, expected in (({}, 1), ({"configuration": {"k": k}}, min(k, 2**31 - 1))):
        found = decode(json.dumps({"instances": texts, **configuration}), "application/json")
        assert found == [Question(text.encode(), expected) for text in texts]


@given(st.lists(st.tuples(TEXTS, st.integers(1, 9) | st.none()), min_size=1, max_size=5))
def test_lines(lines: list[tuple[str, int | None]]) -> None:
    """blazingtext 13"""
    objects = [{"source": text, **({} if k is None else {"k": k})} for text, k in lines]
    body = "\n".join(map(json.dumps, objects))
    for end in ("", "\n", "\r\n"):
        found = decode(body + end, "application/jsonlines")
        assert found == [Question(text.encode(), k or 1) for text, k in lines]


def test_lines_that_are_texts_themselves() -> None:
    """Inference pipelines behind a sparkml container send application/jsonlines;data=text."""
    for spelled in ("application/jsonlines;data=text", "application/JSONLINES; DATA=Text; charset=utf-8"):
        assert decode('good film\r\n\n{"a": 1}\n', spelled) == [
            Question(b"good film"),
            Question(b""),
            Question(b'{"a": 1}'),
        ]
    assert decode(b"\n", "application/jsonlines;data=text") == [Question(b"")]
    for ends in ("", "\n", "\r\n"):
        found = decode(f"good film\n\r\n{ends}", "application/jsonlines;data=text")
        assert found == [Question(b"good film"), Question(b""), *([Question(b"")] if ends else [])], "a line, an answer"
    with pytest.raises(UnsupportedMediaType, match="data=text means a text a line"):
        decode("x", "application/jsonlines;data=csv")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "got an object without a list named instances"),
        ([], "got a list"),
        ("a text", "got text"),
        ({"instances": "a text"}, "without a list named instances"),
        ({"instances": ["a", 5]}, "instance 2 is a number, not text"),
        ({"instances": [None]}, "instance 1 is null, not text"),
        ({"instances": ["a", "b", ["c"]]}, "instance 3 is a list, not text"),
        ({"instances": ["a"], "configuration": {"k": 0}}, "k is 0, and it must be a whole number from 1"),
        ({"instances": ["a"], "configuration": {"k": -3}}, "k is -3"),
        ({"instances": ["a"], "configuration": {"k": 1.5}}, "k is 1.5"),
        ({"instances": ["a"], "configuration": {"k": "2"}}, 'k is "2"'),
        ({"instances": ["a"], "configuration": {"k": True}}, "k is true"),
        ({"instances": ["a"], "configuration": {"k": None}}, "k is null"),
        ({"instances": ["a"], "configuration": {"k": -1e30}}, "k is a number, and it must be"),
        ({"instances": ["a"], "configuration": {"k": NESTED}}, "k is a list, and it must be"),
        ({"instances": ["a"], "configuration": {"threshold": NESTED}}, "threshold is a list, and it must be"),
        ({"instances": ["a"], "configuration": [2]}, "configuration is a list, not an object"),
    ],
)
def test_what_is_no_request(document: Any, says: str) -> None:
    """Spec section 4: 400 naming the instance."""
    with pytest.raises(UserError, match=r"^[^\n]+$") as caught:
        decode(json.dumps(document), "application/json")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{]", "row 2 is not JSON"),
        ("", "row 2 is not JSON"),
        ('"a text"', 'row 2: expected {"source": "text", "k": 1}, got text'),
        ('{"text": "a"}', "row 2: expected"),
        ('{"source": 5}', "the source of row 2 is a number, not text"),
        ('{"source": "a", "k": 0}', "row 2: k is 0"),
    ],
)
def test_a_line_that_is_no_question(line: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        decode(f'{{"source": "a"}}\n{line}\n{{"source": "b"}}', "application/jsonlines")
    assert says in str(caught.value)
    assert caught.value.row == 2


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"instances": ["\xff"]}', "application/json"),
        (b'{"source": "\xff"}', "application/jsonlines"),
        (b"\xff\n", "application/jsonlines;data=text"),
        (b'{"instances": ["\\ud800"]}', "application/json"),
    ],
)
def test_text_that_is_none_is_refused(body: bytes, content_type: str) -> None:
    """Bad input: invalid UTF-8; a surrogate alone is no character either."""
    with pytest.raises(UserError):
        decode(body, content_type)


def test_other_types_and_charsets_are_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        decode("a", "text/csv")
    with pytest.raises(UnsupportedMediaType, match="charset"):
        decode('{"instances": []}', "application/json; charset=latin-1")


def test_records_are_cut_into_parts() -> None:
    whole = requests.decode(b'{"instances": ["a", "b", "c"]}', parse_media_type("application/json"))
    assert [each.text for each in whole.part(1, 9).items] == [b"b", b"c"]
    assert whole.rows == 3
