"""vocab.txt in the channel auxiliary, and the vocabulary that a model carries."""

import json
import logging

import pytest

from sagedock.contracts.channels import Channel
from sagedock.errors import ModelError, UserError
from sagedock.topics import vocabulary
from sagedock.topics.preparation import Preparation
from sagedock.topics.vocabulary import Vocabulary


def channel(folder, content: bytes | None, name: str = "vocab.txt") -> Channel:
    path = folder / "auxiliary"
    path.mkdir()
    if content is not None:
        (path / name).write_bytes(content)
    return Channel("auxiliary", path)


@pytest.mark.parametrize(
    "content",
    [
        "apple\nBirne\nÄpfel\n",
        "apple\nBirne\nÄpfel",
        "\ufeffapple\r\nBirne\r\nÄpfel\r\n",
        " apple\nBirne \nÄpfel\n\n \n",
    ],
)
def test_lines_are_words(tmp_path, content):
    found = vocabulary.of_channel(channel(tmp_path, content.encode()), 3)
    assert list(found.words) == ["apple", "Birne", "Äpfel"]
    assert found.documents(["Äpfel, birne, ÄPFEL"]).dense().tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("lines", [2, 4])
def test_another_number_of_lines_than_feature_dim_is_refused_with_both(tmp_path, lines):
    content = b"".join(b"word%d\n" % number for number in range(lines))
    with pytest.raises(UserError, match=rf"vocab.txt has {lines} lines, and feature_dim is 3"):
        vocabulary.of_channel(channel(tmp_path, content), 3)


@pytest.mark.parametrize("name", [None, "Vocab.txt", "vocabulary.txt"])
def test_a_channel_without_the_file_is_told_of(tmp_path, caplog, name):
    found = channel(tmp_path, None if name is None else b"a\nb\n", name or "")
    with caplog.at_level(logging.INFO):
        assert vocabulary.of_channel(found, 2) is None
    assert caplog.messages == ["Vocab file is not provided"]


def test_no_channel_is_no_vocabulary(caplog):
    with caplog.at_level(logging.INFO):
        assert vocabulary.of_channel(None, 2) is None
    assert not caplog.messages


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\nc\n", r"line 2: the line is empty"),
        (b"a\n \t\nc\n", r"line 2: the line is empty"),
        (b"a\nb\n\xff\xfe\n", r"line 3: this is no text in UTF-8"),
        ("a\nb\nc\n".encode("utf-16-be"), r"line 1: this is no text in UTF-8"),
    ],
)
def test_what_is_no_word_is_refused_with_its_line(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        vocabulary.of_channel(channel(tmp_path, content), 3)


def test_a_repeated_word_is_warned_of_and_texts_are_counted_with_the_first(tmp_path, caplog):
    found = vocabulary.of_channel(channel(tmp_path, b"a\nb\na\n"), 3)
    assert "'a' stands in line 1 already" in caplog.text
    assert found.documents(["a b a"]).dense().tolist() == [[2, 1, 0]]


def test_it_travels_in_the_model(tmp_path):
    made = Vocabulary(["running", "dogs"], Preparation(stemming="english"), ["run", "dog"])
    assert made.write(tmp_path) == "vocabulary.json"
    found = vocabulary.read(tmp_path, 2)
    assert list(found.words) == ["running", "dogs"]
    assert found.documents(["Dog runs, dogs run"]).dense().tolist() == [[2, 2]]
    assert found == Vocabulary(["running", "dogs"], Preparation(stemming="english"), ["run", "dog"])
    assert vocabulary.read(tmp_path / "none", 2) is None


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        json.dumps({"words": [1, 2]}).encode(),
        json.dumps({"words": ["a", "b"], "keys": ["a"], "preparation": Preparation().json()}).encode(),
        json.dumps({"words": ["a", "b"], "keys": None, "preparation": {}}).encode(),
        json.dumps({"words": ["a"], "keys": None, "preparation": Preparation().json()}).encode(),
    ],
)
def test_a_damaged_one_is_refused(tmp_path, content):
    (tmp_path / "vocabulary.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"vocabulary.json.*deploy the model's archive again"):
        vocabulary.read(tmp_path, 2)


def test_few_texts_are_counted_as_many_are():
    made = Vocabulary(["apple", "pear", "plum"], Preparation())
    texts = ["plum pear, plum", "", "nothing", "apple-pear PLUM"] * 5
    many = made.documents(texts).dense()
    assert many[:4].tolist() == [[0, 1, 2], [0, 0, 0], [0, 0, 0], [1, 1, 1]]
    assert [made.documents([text]).dense()[0].tolist() for text in texts] == many.tolist()
