"""Issue 5, bad input: each a clear error, or the documented behaviour."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import gensim
import pytest

from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.blazingtext.jobs import held_out, job, value
from tests.algorithms.blazingtext.test_model import ask, serve
from tests.serving.process import Server

MODES = ["supervised", "skipgram", "batch_skipgram"]


def test_lines_without_a_label_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No label on a line: the model is that of the other lines."""
    lines = fasttexts.lines(100)
    some = [*lines[:10], "no label on this line", *lines[10:], "nor here"]
    with_them, without = job(tmp_path / "with", train=fasttexts.text(some)), job(tmp_path / "without")
    without.add_channel("train", {"train.txt": fasttexts.text(lines)})
    with caplog.at_level(logging.WARNING):
        assert with_them.run() == 0
    assert without.run() == 0
    told = [record.getMessage() for record in caplog.records]
    assert "2 lines of the train channel have no label and are left out, the first of them is line 11" in told
    assert with_them.metrics()["train"]["without_label"] == 2
    assert with_them.metrics()["train"]["lines"] == without.metrics()["train"]["lines"] == 100


@pytest.mark.parametrize("text", ["no label at all\nnone here either\n", "__label__a\n__label__b\n"])
def test_a_file_without_a_labelled_text_is_refused(tmp_path: Path, text: str) -> None:
    made = job(tmp_path, train=text, min_count="1")
    assert made.run() == 1
    assert made.failure.startswith("UserError: ")
    assert "label" in made.failure or "no word comes" in made.failure
    assert "train" in made.failure


def test_a_label_never_seen_in_training_counts_as_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """In validation: documented, and told in the log."""
    strange = held_out(90) + "__label__new a b c\n" * 10
    made = job(tmp_path, validation=strange, epochs="10")
    with caplog.at_level(logging.WARNING):
        assert made.run() == 0
    shown = capsys.readouterr().out.splitlines()
    assert value(shown, "Number of validation examples") == 100
    assert value(shown, "#validation_accuracy") <= 0.9
    assert made.metrics()["validation"]["labels_never_seen"] == 10
    assert any(
        "10 lines of the validation channel have only labels that the train channel lacks" in record.getMessage()
        for record in caplog.records
    )


def test_a_validation_channel_of_strange_labels_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert job(tmp_path, validation="__label__new a b c\n").run() == 0
    assert value(capsys.readouterr().out.splitlines(), "#validation_accuracy") == 0


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_file_is_no_data(tmp_path: Path, mode: str) -> None:
    made = job(tmp_path, mode, train="")
    assert made.run() == 1
    assert "No data in train channel path" in made.failure


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["\n\n\n", "   \n\t\n", "\0\0\n"])
def test_a_file_of_nothing_but_space(tmp_path: Path, mode: str, text: str) -> None:
    made = job(tmp_path, mode, train=text)
    assert made.run() == 1
    assert made.failure.startswith("UserError: ")
    assert "no word comes at least min_count=1 times" in made.failure


@pytest.mark.parametrize("mode", MODES)
def test_a_line_of_ten_million_characters(tmp_path: Path, mode: str) -> None:
    """Of many words it is a line like others; word vectors cut it into sentences of 1,024 words."""
    long = "__label__1 " + " ".join(["word", "another", "third"] * 600_000)
    assert len(long) > 10_000_000
    made = job(tmp_path, mode, train=f"{long}\n__label__2 short one\n", epochs="1", learning_rate="0.01")
    assert made.run() == 0, made.failure
    assert made.metrics()["words"] == 6


@pytest.mark.parametrize("mode", MODES)
def test_training_that_diverges_leaves_no_model(tmp_path: Path, mode: str) -> None:
    made = job(tmp_path, mode, learning_rate="1e6", epochs="20")
    assert made.run() == 1
    assert "training diverged" in made.failure
    assert "learning_rate" in made.failure
    assert list(made.model.iterdir()) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_word_of_ten_million_characters(tmp_path: Path, mode: str) -> None:
    """One token: kept like any other, whole."""
    made = job(tmp_path, mode, train=f"__label__1 {'x' * 10_000_000} b\n__label__2 c d\n", epochs="1", vector_dim="4")
    assert made.run() == 0, made.failure
    loaded = serve(made.model)
    (answer,) = ask(loaded, ["x" * 10_000_000])
    assert "label" in answer or any(answer["vector"])


@pytest.mark.parametrize("mode", MODES)
def test_invalid_utf8_is_kept_as_it_is(tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """Bytes are bytes, as to fastText; answers show what is no character as U+FFFD."""
    line = b"__label__\xff good \xfe\xfe caf\xc3\xa9\n__label__b bad \xe9 word\n"
    made = job(tmp_path, mode, train=line * 20)
    with caplog.at_level(logging.WARNING):
        assert made.run() == 0, made.failure
    loaded = serve(made.model)
    if mode == "supervised":
        assert sorted(loaded.model.labels) == ["__label__b", "__label__�"]
        assert loaded.invoke(b'{"instances": ["good caf\xc3\xa9"]}', "application/json", None).status == 200
        return
    assert any("2 words are not UTF-8" in record.getMessage() for record in caplog.records)
    file = str(made.model / "vectors.txt")
    assert "café" in gensim.models.KeyedVectors.load_word2vec_format(file, unicode_errors="replace")


@pytest.mark.parametrize("mode", MODES)
def test_min_count_that_leaves_no_words(tmp_path: Path, mode: str) -> None:
    made = job(tmp_path, mode, min_count="1000000")
    assert made.run() == 1
    assert "no word comes at least min_count=1000000 times" in made.failure
    assert "a lower min_count" in made.failure
    assert list(made.model.iterdir()) == []


def test_requests_that_are_none_get_400_with_the_instance(tmp_path: Path) -> None:
    """Spec section 4, over HTTP; k larger than the number of labels gives all of them."""
    made = job(tmp_path)
    assert made.run() == 0
    with Server(tmp_path) as server:
        server.wait_ready()
        for document, says in [
            ({"instances": ["a", 7]}, "instance 2 is a number"),
            ({"instances": "a"}, "instances"),
            ({}, "instances"),
            ({"instances": ["a"], "configuration": {"k": 0}}, "k is 0"),
        ]:
            reply = server.invoke(json.dumps(document).encode(), "application/json")
            assert (reply.status, says in reply.error["message"]) == (400, True)
        reply = server.invoke(b'{"instances": ["a"], "configuration": {"k": 1000000}}', "application/json", "text/csv")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        assert len(json.loads(reply.body)[0]["label"]) == 3
        assert server.invoke(b'{"instances": ["\xff"]}', "application/json").status == 400
