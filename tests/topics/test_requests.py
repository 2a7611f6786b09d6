"""Requests to topic models: every type gives the same documents, with the compiled core and without it."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from sagedock import core
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import instances, records
from sagedock.formats.csv import encode
from sagedock.formats.media_types import MediaType, parse_media_type
from sagedock.formats.table import Table
from sagedock.topics import requests
from tests.topics.models import vocabulary

CSV, JSON, LINES, RECORDIO = "text/csv", "application/json", "application/jsonlines", "application/x-recordio-protobuf"
WIDTH = 9


@pytest.fixture(params=["core", "python"])
def _both_ways(request, monkeypatch):
    """Each test with the compiled core and without it."""
    if request.param == "python":
        monkeypatch.setattr(core, "native", None)
    elif core.native is None:
        pytest.skip("no compiled core here")


pytestmark = pytest.mark.usefixtures("_both_ways")


def read(body: bytes, kind: str, width: int = WIDTH, known=None) -> requests.Request:
    return requests.read(body, parse_media_type(kind), width, known)


def counts(rows: int = 40) -> np.ndarray:
    found = np.random.default_rng(11).poisson(0.5, (rows, WIDTH)).astype(np.float32)
    found[rows // 2] = 0
    return found


def bodies(matrix: np.ndarray) -> dict[str, tuple[str, bytes]]:
    dense, sparse = Table(matrix), Table(csr_matrix(matrix))
    rows = matrix.tolist()
    return {
        "csv": (CSV, encode(dense)),
        "csv of whole numbers": (CSV, "\r\n".join(",".join(str(int(v)) for v in row) for row in rows).encode()),
        "csv with blanks": (CSV, "\n".join(" , ".join(str(v) for v in row) for row in rows).encode()),
        "csv with semicolons": (CSV, "\n".join(";".join(str(v) for v in row) for row in rows).encode()),
        "json dense": (JSON, instances.encode(dense, lined=False)),
        "json bare": (JSON, json.dumps({"instances": rows}).encode()),
        "json values": (
            JSON,
            json.dumps({"instances": [{"data": {"features": {"values": r}}} for r in rows]}).encode(),
        ),
        "json data": (JSON, json.dumps({"instances": [{"data": {"features": r}} for r in rows]}, indent=1).encode()),
        "json sparse": (JSON, instances.encode(sparse, lined=False)),
        "jsonlines dense": (LINES, instances.encode(dense, lined=True)),
        "jsonlines sparse": (LINES, instances.encode(sparse, lined=True) + b"\n\n"),
        "recordio dense": (RECORDIO, records.encode(dense)),
        "recordio sparse": (RECORDIO, records.encode(sparse)),
        "recordio labelled": (RECORDIO, records.encode(Table(matrix, labels=np.ones(len(matrix), np.float32)))),
    }


@pytest.mark.parametrize("name", bodies(counts()))
def test_every_type_gives_the_same_documents(name):
    """ntm_lda N5: sparse and dense."""
    kind, body = bodies(counts())[name]
    found = read(body, kind)
    assert np.array_equal(found.documents.dense(), counts())
    assert found.documents.counts.all()
    assert not found.verbose


def test_dense_and_sparse_lines_may_be_mixed_and_keys_unsorted():
    body = b'{"features":[1,0,2]}\n{"data":{"features":{"values":[3,1],"keys":[2,0],"shape":[3]}}}\n[0,0,1]\n'
    assert read(body, LINES, 3).documents.dense().tolist() == [[1, 0, 2], [1, 0, 3], [0, 0, 1]]


def test_a_word_that_is_named_twice_counts_twice():
    body = b'{"data":{"features":{"keys":[2,0,2],"shape":[3],"values":[1,2,3.0]}}}'
    assert read(body, LINES, 3).documents.dense().tolist() == [[2, 0, 4]]


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances":[{"data":{"features":{"keys":[],"shape":[3],"values":[]}}}]}',
        b'{"instances":[{"features":[0,0,0]}]}',
        b'{"instances":[{"features":{"keys":[1],"shape":[3],"values":[0]}}]}',
    ],
)
def test_an_empty_document_is_one(body):
    documents = read(body, JSON, 3).documents
    assert documents.rows == 1
    assert len(documents.words) == 0


def test_uid_and_metadata_are_kept():
    matrix = counts(2)
    identities = [records.RecordIdentity("a", None), records.RecordIdentity(None, "{}")]
    found = read(records.encode(Table(matrix, identities=identities)), RECORDIO)
    assert found.identities == identities
    assert found.part(1, 2).identities == identities[1:]


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (CSV, b"1,0,2\n1,-1,0\n", r"row 2, column 2: the count is -1, below 0"),
        (CSV, b"1,0,2\n1,0,0.25\n", r"row 2, column 3: the count is 0.25, a fraction"),
        (CSV, b"1,0\n", r"expected 3 columns .*got 2"),
        (CSV, b"1,0,\n", r"row 1, column 3: .*missing"),
        (CSV, b"1,0,nan\n", r"row 1, column 3: .*missing"),
        (CSV, b"1,0,inf\n", r"row 1, column 3.* infinite"),
        (CSV, b"1,0,20000000\n", r"row 1, column 3: the count is 20000000, above 16777216"),
        (CSV, b"a,b,c\n1,0,2\n", r"row 1, column 1.* is not a number"),
        (JSON, b'{"instances":[{"features":[1,0,-2]}]}', r"row 1, word 2: the count is -2, below 0"),
        (JSON, b'{"instances":[{"features":[1,0,0.5]}]}', r"row 1, word 2: the count is 0.5, a fraction"),
        (JSON, b'{"instances":[{"features":[1,0]}]}', r"row 1: expected 3 features .*got 2"),
        (JSON, b'{"instances":[{"features":[1,0,null]}]}', r"row 1, word 2: .*missing"),
        (JSON, b'{"instances":[{"features":[1,0,1e99]}]}', r"row 1, word 2: the count is inf"),
        (JSON, b'{"instances":[]}', r"instances is empty"),
        (JSON, b'{"instances":[{"tokens":[1,0,0]}]}', r"row 1 has no features"),
        (JSON, b'{"instance":[]}', r"without a list named instances"),
        (LINES, b'{"features":[1,0,0]}\n{"features":[1,"a",0]}', r"row 2: features\[1\] is 'a', not a number"),
        (LINES, b'{"data":{"features":{"keys":[1],"shape":[3],"values":[-1]}}}', r"row 1, word 1: .*below 0"),
        (LINES, b'{"data":{"features":{"keys":[1,2],"shape":[3],"values":[1]}}}', r"row 1: 2 keys for 1 values"),
        (LINES, b'{"data":{"features":{"keys":[1],"values":[1]}}}', r"row 1: .*need a shape"),
        (LINES, b'{"data":{"features":{"keys":[1],"shape":[4],"values":[1]}}}', r"row 1: expected 3 .*got 4"),
        (LINES, b'{"data":{"features":{"keys":[-1],"shape":[3],"values":[1]}}}', r"row 1: keys must be"),
    ],
)
def test_what_is_no_document_is_refused_with_its_row(kind, body, message):
    with pytest.raises(UserError, match=message):
        read(body, kind, 3)


def test_an_index_that_is_no_word_is_refused_with_both_numbers():
    """ntm_lda N22."""
    body = b'{"data":{"features":{"keys":[2100],"shape":[2500],"values":[1]}}}'
    with pytest.raises(UserError, match=r"row 1: the index 2100 is not below .*2000") as caught:
        read(body, LINES, 2000)
    assert caught.value.row == 1


def test_texts_become_documents_where_there_is_a_vocabulary():
    known = vocabulary()
    expected = [[2, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
    texts = ["An apple, an APPLE and a rocket!", "Nothing known."]
    asked = json.dumps({"instances": [{"text": text} for text in texts]}).encode()
    assert read(asked, JSON, 5, known).documents.dense().tolist() == expected
    lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    assert read(lines, LINES, 5, known).documents.dense().tolist() == expected
    plain = "\n".join(texts).encode()
    assert read(plain, "text/plain", 5, known).documents.dense().tolist() == expected


def test_texts_and_counts_keep_their_order():
    body = json.dumps({"instances": [{"features": [0, 0, 0, 0, 3]}, {"text": "pear"}, [1, 0, 0, 0, 0], {"text": ""}]})
    found = read(body.encode(), JSON, 5, vocabulary()).documents
    assert found.dense().tolist() == [[0, 0, 0, 0, 3], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("kind", "body"), [(JSON, b'{"instances":[{"text":"pear"}]}'), (LINES, b'{"text":"pear"}'), ("text/plain", b"pear")]
)
def test_a_text_without_a_vocabulary_is_refused_with_the_way_to_one(kind, body):
    with pytest.raises(UserError, match=r"needs a vocabulary, and this model has none: .*vocab.txt"):
        read(body, kind, 5)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"text":5}', r"row 1: text is no text"),
        (b'{"text":"a","features":[1,0,0,0,0]}', r"row 1 has text and features"),
        (b'{"text":"a"}\n{"text":"a","verbose":1}', r"row 2: verbose is neither true nor false"),
    ],
)
def test_what_is_no_text_is_refused(body, message):
    with pytest.raises(UserError, match=message):
        read(body, LINES, 5, vocabulary())


def test_verbose_stands_beside_the_instances_or_in_a_line():
    body = {"instances": [{"features": [1, 0]}, [0, 1]]}
    assert read(json.dumps({**body, "verbose": True}).encode(), JSON, 2).verbose == [True, True]
    assert not read(json.dumps({**body, "verbose": False}).encode(), JSON, 2).verbose
    lines = b'{"features":[1,0],"verbose":true}\n{"features":[1,0]}'
    found = read(lines, LINES, 2)
    assert found.verbose == [True, False]
    assert found.part(1, 2).verbose == [False]
    with pytest.raises(UserError, match="the body: verbose is neither"):
        read(json.dumps({**body, "verbose": "yes"}).encode(), JSON, 2)


def test_labels_in_csv_are_left_out_when_the_type_says_so():
    assert read(b"7,1,0\n", "text/csv;label_size=1", 2).documents.dense().tolist() == [[1, 0]]
    assert read(b"1,0\n", "text/csv; label_size=0", 2).documents.dense().tolist() == [[1, 0]]


def test_other_types_are_refused():
    with pytest.raises(UnsupportedMediaType):
        requests.read(b"1 1:1", MediaType("text/libsvm"), 5, None)
    with pytest.raises(UnsupportedMediaType):
        read("ä".encode("latin-1"), "text/plain; charset=latin-1", 5, vocabulary())


@pytest.mark.parametrize("body", [b"\n", b" \r\n\n", b"\xef\xbb\xbf"])
def test_plain_text_of_blank_lines_alone_is_refused(body: bytes) -> None:
    with pytest.raises(UserError, match="the body holds no text: send one document a line"):
        read(body, "text/plain", 5, vocabulary())


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (JSON, b'{"instances":[{"text":"pear"},{"text":"a\\ud800"}]}', "row 2: character 2 of the text is half of a"),
        (LINES, b'{"text":"\\ude00"}', "row 1: character 1 of the text is half of a"),
        ("text/plain", b"pear\nb\xffd\n", "row 2: byte 7 is 0xff, which is no UTF-8"),
    ],
)
def test_texts_that_are_no_unicode_are_refused(kind: str, body: bytes, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read(body, kind, 5, vocabulary())
