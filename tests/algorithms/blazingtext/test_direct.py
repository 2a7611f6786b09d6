"""The way from the bytes of a request to those of its answer in one call, beside the long way through objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock import core
from sagedock.algorithms.blazingtext import fasttext_file, probabilities
from sagedock.algorithms.blazingtext.model import TextClassifier, classifier_of
from sagedock.errors import UserError
from sagedock.formats import responses
from sagedock.formats.media_types import MediaType
from tests.algorithms.blazingtext.corpora import texts, topics, with_random_matrices

JSON, LINES = "application/json", "application/jsonlines"
LABELS = 9
TEXT = topics(300, labels=LABELS).encode() + '__label__"\\\x7fé日 the movie was excellent\n'.encode()
REWRITTEN = {"text": {"lower_case": True, "tokenise": True}}

pytestmark = pytest.mark.skipif(core.native is None, reason="the core is not built: install g++ and run scripts/setup")


@pytest.fixture(scope="module", params=probabilities.LOSSES)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> fasttext_file.FastTextFile:
    """A classifier whose probabilities have all sizes."""
    folder = tmp_path_factory.mktemp("direct")
    model = with_random_matrices(folder, TEXT, dim=21, loss=request.param, wordNgrams=2)
    model.save_model(str(folder / "model.bin"))
    return fasttext_file.read(folder / "model.bin")


@pytest.fixture(scope="module", params=[{}, REWRITTEN], ids=["as it is", "rewritten"])
def model(request: pytest.FixtureRequest, found: fasttext_file.FastTextFile) -> TextClassifier:
    return TextClassifier(found, classifier_of(found), request.param)


def long_way(model: TextClassifier, body: bytes, kind: str) -> bytes:
    return responses.encode(model.predict(model.read(body, MediaType(kind))), kind)


def short_way(model: TextClassifier, body: bytes, kind: str) -> bytes | None:
    answer = model.direct(kind, kind)
    assert answer is not None
    return answer(body)


PLAIN = [
    (JSON, b'{"instances": ["the movie", ""]}'),
    (JSON, b'{"instances":["w1x1"],"configuration":{"k":3}}'),
    (JSON, b' {\n"configuration" : {"k" : 500 } ,\t"instances":[ "w1x1 w2x2" , "all1" ] }\r\n'),
    (JSON, b'{"instances": ["a"], "configuration": {}}'),
    (JSON, rb'{"instances": ["\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t\u0000 w1x1 </s> w2x2"]}'),
    (JSON, '{"instances": ["naïve 日本 \U0001f600 W1X1"]}'.encode()),
    (LINES, b'{"source": "the movie"}'),
    (LINES, b'{"source": "w1x1", "k": 3}\r\n{ "k" : 2 , "source":"w2x2"}\n'),
]
UNUSUAL = [
    (JSON, b'{"instances": ["a"], "configuration": {"k": 1, "threshold": 0.2}}'),
    (JSON, b'{"instances": ["a"], "configuration": {"k": 2.0}}'),
    (JSON, b'{"instances": ["a"], "configuration": null}'),
    (JSON, b'{"instances": ["a"], "more": 1}'),
    (JSON, b'{"instances": [{"sentence": "w1x1 w2x2"}]}'),
    (JSON, b'\xef\xbb\xbf{"instances": ["a"]}'),
    (JSON, rb'{"inst\u0061nces": ["a"]}'),
    (LINES, b'{"source": "a", "threshold": 0.5}'),
    (LINES, b'{"source": "a"}\n\n'),
    (LINES, b'{"source": "a", "more": [1]}'),
]
WRONG = [
    (JSON, b'{"instances": []'),
    (JSON, b'{"instances": ["a"]} x'),
    (JSON, b'{"instances": ["a",]}'),
    (JSON, b'{"instances": ["a"], "configuration": {"k": 0}}'),
    (JSON, b'{"instances": ["a"], "configuration": {"k": 01}}'),
    (JSON, b'{"instances": ["\xff"]}'),
    (JSON, b'{"instances": ["\n"]}'),
    (JSON, rb'{"instances": ["\ud83d"]}'),
    (JSON, rb'{"instances": ["\x41"]}'),
    (JSON, b'{"instances": ["a'),
    (JSON, b'{"instances": ["a"], "configuration": {"k": 1'),
    (LINES, b'{"k": 3}'),
    (LINES, b'{"source": "a"} {"source": "b"}'),
    (LINES, b'{"source": 1}\n'),
]


@pytest.mark.parametrize(("kind", "body"), PLAIN)
def test_plain_requests_are_answered_as_the_long_way_does(model: TextClassifier, kind: str, body: bytes) -> None:
    assert short_way(model, body, kind) == long_way(model, body, kind)


@pytest.mark.parametrize(("kind", "body"), UNUSUAL)
def test_what_is_unusual_is_left_to_the_long_way(model: TextClassifier, kind: str, body: bytes) -> None:
    """Thresholds among it, and questions for vectors."""
    assert short_way(model, body, kind) is None
    assert long_way(model, body, kind)


@pytest.mark.parametrize(("kind", "body"), WRONG)
def test_what_is_wrong_is_refused_by_the_long_way(model: TextClassifier, kind: str, body: bytes) -> None:
    assert short_way(model, body, kind) is None
    with pytest.raises(UserError):
        long_way(model, body, kind)


def test_there_is_no_other_type(model: TextClassifier) -> None:
    assert model.direct("text/csv", "text/csv") is None
    assert model.direct(JSON, LINES) is None
    assert model.in_line_bytes == 4096


def dumps(ascii_only: bool, indent: int | None) -> Callable[[Any], bytes]:
    return lambda value: json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()


WRITERS = st.sampled_from([orjson.dumps, dumps(True, None), dumps(False, None), dumps(True, 1)])
K = st.one_of(st.none(), st.integers(1, 12), st.integers(1, 999_999_999))


@given(given_texts=st.lists(texts, min_size=1, max_size=4), k=K, writer=WRITERS)
def test_any_texts_have_the_same_answer(
    model: TextClassifier, given_texts: list[str], k: int | None, writer: Callable[[Any], bytes]
) -> None:
    """Escapes, k, and numbers with exponents as orjson writes them."""
    document = {"instances": given_texts} | ({} if k is None else {"configuration": {"k": k}})
    body = writer(document)
    found = short_way(model, body, JSON)
    assert found is not None
    assert found == long_way(model, body, JSON)
    wanted = {} if k is None else {"k": k}
    lines = b"\n".join(writer({"source": text} | wanted).replace(b"\n", b"") for text in given_texts)
    assert short_way(model, lines, LINES) == long_way(model, lines, LINES)


PIECES = st.sampled_from(
    [
        b'"',
        b"\\",
        b"\\u",
        b"d800",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\n",
        b" ",
        b'"k"',
        b"0",
        b"1e3",
        b"\xc3",
        b"\xa9",
    ]
)


@given(
    chosen=st.sampled_from(PLAIN),
    at=st.floats(0, 1),
    piece=st.one_of(PIECES, st.binary(max_size=3)),
    cut=st.integers(0, 4),
)
def test_damaged_requests_are_left_to_the_long_way_or_answered_as_there(
    model: TextClassifier, chosen: tuple[str, bytes], at: float, piece: bytes, cut: int
) -> None:
    kind, body = chosen
    place = int(at * len(body))
    body = body[:place] + piece + body[place + cut :]
    found = short_way(model, body, kind)
    if found is not None:
        assert found == long_way(model, body, kind)


def test_small_probabilities_are_written_as_the_long_way_does(tmp_path: Path) -> None:
    """Those of hierarchical softmax go down to 1e-5 to the depth of the tree."""
    theirs = with_random_matrices(tmp_path, topics(4000, labels=200).encode(), dim=8, loss="hs")
    theirs.set_matrices(theirs.get_input_matrix() * np.float32(4), theirs.get_output_matrix() * np.float32(4))
    theirs.save_model(str(tmp_path / "model.bin"))
    file = fasttext_file.read(tmp_path / "model.bin")
    model = TextClassifier(file, classifier_of(file))
    body = orjson.dumps({"instances": ["w1x1 w2x2", "all1 w9x3"], "configuration": {"k": 200}})
    found = short_way(model, body, JSON)
    assert found == long_way(model, body, JSON)
    assert found is not None
    assert all(form in found for form in (b"e-1", b"e-9", b"e-6"))


def test_a_model_of_many_labels_is_not_answered_in_line(tmp_path: Path) -> None:
    """Each text asks the whole output matrix, and other requests must not wait for it."""
    theirs = with_random_matrices(tmp_path, topics(6000, labels=900).encode(), dim=300, bucket=0)
    theirs.save_model(str(tmp_path / "model.bin"))
    file = fasttext_file.read(tmp_path / "model.bin")
    model = TextClassifier(file, classifier_of(file))
    assert 0 < model.in_line_bytes < 1000
