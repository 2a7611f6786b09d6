"""Raw text of channels: files and pipes, plain and as JSON Lines, and what is refused with its place."""

import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.contracts.channels import Channel
from sagedock.errors import UserError
from sagedock.formats import recordio
from sagedock.topics import raw_text
from sagedock.topics.excerpts import LENGTH, Collector

TEXTS = ["First document", "", "drittes: Größe \u2028 naïve", "a\tb\rc"]


def made(tmp_path, *contents: bytes, content_type: str = "text/plain", **facts) -> Channel:
    path = tmp_path / "train"
    path.mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        (path / f"{number}.txt").write_bytes(content)
    return Channel("train", path, content_type, **facts)


def lines(channel: Channel) -> list[str]:
    whole = "".join(raw_text.read(channel))
    return whole.removesuffix("\n").split("\n")


@pytest.mark.parametrize("ending", ["", "\n"])
def test_plain_text_is_a_document_a_line(tmp_path, ending):
    content = b"\xef\xbb\xbf" + ("\n".join(TEXTS) + ending).encode()
    assert lines(made(tmp_path, content, content)) == TEXTS * 2


def test_json_lines_hold_a_text_each(tmp_path):
    texts = ["one\ntwo", "", "größer"]
    content = "\n\n".join(json.dumps({"text": text, "id": 7}, ensure_ascii=False) for text in texts)
    expected = ["one two", "", "größer"]
    assert lines(made(tmp_path, content.encode(), content_type="application/jsonlines")) == expected


@pytest.mark.parametrize("content_type", raw_text.TYPES)
def test_a_pipe_gives_what_files_give(tmp_path, content_type):
    lined = content_type == "application/jsonlines"
    content = "".join(f"{json.dumps({'text': text}) if lined else text}\n" for text in TEXTS).encode()
    fifo = tmp_path / "train_0"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    try:
        assert lines(Channel("train", tmp_path / "train", content_type, input_mode="Pipe")) == TEXTS
    finally:
        writer.join()


def test_objects_in_records_are_read_as_files(tmp_path):
    framed = recordio.frame("\n".join(TEXTS).encode()) * 2
    assert lines(made(tmp_path, framed, record_wrapper="RecordIO")) == TEXTS * 2


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), st.integers(1, 9))
def test_blocks_are_cut_at_lines_wherever_reading_stops(tmp_path_factory, texts, block):
    kept = [text.replace("\n", " ").removeprefix("\ufeff") for text in texts]
    channel = made(tmp_path_factory.mktemp("raw"), "".join(f"{text}\n" for text in kept).encode())
    whole = raw_text._BLOCK
    raw_text._BLOCK = block
    try:
        assert lines(channel) == kept
    finally:
        raw_text._BLOCK = whole


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        (b"good\nba\xffd\n", "text/plain", r"0\.txt, line 2: byte 3 is 0xff, which is not UTF-8"),
        (b"good\nno \xc3", "text/plain", r"0\.txt, line 2: byte 4 is 0xc3"),
        (
            b'{"text": "a"}\n\n{"text" "a"}',
            "application/jsonlines",
            r"0\.txt, line 3 is not JSON \(.* at character 9\)",
        ),
        (b'{"text": "\\ud800"}', "application/jsonlines", r"0\.txt, line 1 is not JSON"),
        (b'{"texts": "a"}', "application/jsonlines", r"line 1: expected .*an object without a text"),
        (b'{"text": ["a"]}', "application/jsonlines", r"line 1: expected .*an object without a text"),
        (b'{"text": "a"}\n"b"', "application/jsonlines", r"line 2: expected .*got text"),
        (b"17", "application/jsonlines", r"line 1: expected .*got a number"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(tmp_path, content, content_type, expected):
    with pytest.raises(UserError, match=expected):
        lines(made(tmp_path, content, content_type=content_type))


def test_lines_are_counted_through_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(raw_text, "_BLOCK", 16)
    with pytest.raises(UserError, match="line 101: byte 2 is 0xfe"):
        lines(made(tmp_path, b"some words\n" * 100 + b"a\xfe\n"))


def test_a_line_without_end_is_refused_and_a_long_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(raw_text, "_BLOCK", 1 << 10)
    monkeypatch.setattr(raw_text, "LONGEST_LINE", 1 << 20)
    long = "word " * 150_000
    assert lines(made(tmp_path, f"a\n{long}\nb\n".encode())) == ["a", long, "b"]
    with pytest.raises(UserError, match="line 2: more than 1 MiB without a line feed"):
        lines(made(tmp_path, f"a\n{long}{long}\nb\n".encode()))


@given(st.lists(st.lists(st.text("ab c", max_size=4)), max_size=30), st.integers(1, 8))
def test_excerpts_are_of_documents_evenly_spread(blocks, most):
    collector = Collector(most)
    for block in blocks:
        collector.feed("".join(f"{line}\n" for line in block))
    whole = [line for block in blocks for line in block]
    found = collector.excerpts()
    assert len(found.texts) <= most
    assert [" ".join(whole[row].split()) for row in found.rows] == list(found.texts)
    assert len(found.texts) * 2 >= min(len(whole), most)
    assert len(set(map(int, (found.rows[1:] - found.rows[:-1])))) <= 1


def test_an_excerpt_ends_at_a_word():
    collector = Collector()
    collector.feed("ab " * 300 + "\n")
    (text,) = collector.excerpts().texts
    assert text.endswith("ab…")
    assert len(text) <= LENGTH + 1
