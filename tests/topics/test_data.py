"""The data of a topic job: raw text and counts, each channel as it may be, and hosts that agree on a vocabulary."""

import json
import logging
import threading

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Declaration, Integer, Interval, Parameter
from sagedock.errors import UserError
from sagedock.formats import records
from sagedock.formats.table import Table
from sagedock.topics import data as datas
from sagedock.topics import text_parameters

DECLARATION = Declaration(
    (Parameter("feature_dim", Integer(Interval(1)), "", required=True), *text_parameters.PARAMETERS),
    text_parameters.RULES,
)
TRAIN = ["The dogs were running over there", "a dog runs", "cats and dogs", "", "cats sleep", "a computer sleeps 42"]


class Alone:
    """One host (the real cluster needs no network for it, and no more than this is looked at)."""

    hosts = ("algo-1",)
    rank = 0


def values(**given):
    return DECLARATION.parse({"feature_dim": "50", **{name: str(value) for name, value in given.items()}})


def text(tmp_path, name, lines, content_type="text/plain"):
    path = tmp_path / name
    path.mkdir(parents=True, exist_ok=True)
    as_json = content_type != "text/plain"
    (path / "part").write_text("".join(f"{json.dumps({'text': x}) if as_json else x}\n" for x in lines))
    return Channel(name, path, content_type)


def auxiliary(tmp_path, **files):
    path = tmp_path / "auxiliary"
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        (path / f"{name}.txt").write_text(content)
    return Channel("auxiliary", path, "text/plain")


def read(channels, given):
    return datas.read({channel.name: channel for channel in channels}, given, Alone())


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonlines"])
def test_raw_text_makes_a_vocabulary_and_the_other_channels_use_it(tmp_path, content_type):
    """Issue 6 item 4."""
    channels = [text(tmp_path, "train", TRAIN, content_type), text(tmp_path, "validation", ["dogs dogs new", "new"])]
    found = read(channels, values())
    assert found.vocabulary.words == ["dogs", "cats", "running", "sleep"]
    assert found.feature_dim == 4
    assert found.train.dense().tolist() == [[1, 0, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]]
    assert found.validation.dense().tolist() == [[2, 0, 0, 0]]
    assert found.excerpts.rows.tolist() == found.sampled().tolist() == [0, 1, 2, 3, 4]
    assert found.excerpts.texts[2:4] == ["cats and dogs", "cats sleep"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"feature_dim": 2}, ["dogs", "cats"]),
        ({"_stemming": "none", "_min_df": 1, "_stop_words": "none", "feature_dim": 4},
         ["cats", "dogs", "and", "computer"]),
        ({"_min_word_length": 4}, ["cats", "dogs", "running", "sleep"]),
        ({"_max_df": 2}, ["cats", "running", "sleep"]),
        ({"_max_df": 0.5}, ["cats", "running", "sleep"]),
        ({"_min_df": 0.5}, ["dogs"]),
        ({"_lower_case": "false", "_stemming": "none", "_min_df": 1, "_stop_words": "none", "feature_dim": 9},
         ["cats", "dogs", "The", "and", "computer", "dog", "over", "running", "runs"]),
    ],
)  # fmt: skip
def test_hyperparameters_decide_the_vocabulary(tmp_path, given, words):
    assert read([text(tmp_path, "train", TRAIN)], values(**given)).vocabulary.words == words


def test_stop_words_of_a_file(tmp_path):
    channels = [text(tmp_path, "train", TRAIN), auxiliary(tmp_path, stop_words="Dogs\ndog\n")]
    assert read(channels, values(_stop_words="file")).vocabulary.words == ["cats", "running", "sleep"]
    with pytest.raises(UserError, match=r"needs stop_words\.txt in the auxiliary channel"):
        read(channels[:1], values(_stop_words="file"))


def test_a_vocabulary_of_the_users_own_is_used_for_raw_text(tmp_path, caplog):
    channels = [text(tmp_path, "train", TRAIN), auxiliary(tmp_path, vocab="sleep\ndog\nzebra\n")]
    found = read(channels, values(feature_dim=3, _min_df=3))
    assert found.train.dense().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert "_min_df has no effect" in caplog.text
    stemmed = read(channels, values(feature_dim=3, _stemming="english"))
    assert stemmed.train.dense().sum(axis=0).tolist() == [2, 3, 0]


def counts(tmp_path, name, matrix):
    path = tmp_path / name
    path.mkdir()
    (path / "part").write_bytes(records.encode(Table(csr_matrix(np.array(matrix, np.float32)))))
    return Channel(name, path, "application/x-recordio-protobuf")


def test_counts_with_a_vocabulary_take_raw_text_for_validation(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    train = counts(tmp_path, "train", [[1, 0], [0, 2]])
    validation = text(tmp_path, "validation", ["The DOG and the cat, the dogs", "nothing known"])
    found = read([train, validation, auxiliary(tmp_path, vocab="dog\nthe\n")], values(feature_dim=2, _min_df=3))
    assert found.validation.dense().tolist() == [[1, 3]]
    assert found.excerpts is None
    assert found.sampled().tolist() == [0, 1]
    assert "_min_df has no effect: the train channel holds counts" in caplog.text
    with pytest.raises(UserError, match=r"validation channel holds raw text.*vocab\.txt"):
        read([train, validation], values(feature_dim=2))


def test_counts_beside_raw_text_are_refused(tmp_path):
    channels = [text(tmp_path, "train", TRAIN), counts(tmp_path, "test", [[1, 0]])]
    with pytest.raises(UserError, match="declare it as raw text too"):
        read(channels, values())


@pytest.mark.parametrize(
    ("lines", "given", "expected"),
    [
        (["one two"], {}, "_min_df"),
        (["", "the"], {}, "of 0 words none"),
        (TRAIN, {"_min_document_length": 9}, "none of which has _min_document_length=9"),
    ],
)
def test_text_without_topics_is_refused(tmp_path, lines, given, expected):
    with pytest.raises(UserError, match=expected):
        read([text(tmp_path, "train", lines)], values(**given))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"_min_df": 2.5}, "_min_df: 2.5 is neither a share nor a whole number"),
        ({"_max_df": 1.5}, "_max_df: 1.5 is neither"),
        ({"_min_df": 0.6, "_max_df": 0.5}, "_min_df: 0.6 is above _max_df"),
        ({"_stemming": "klingon"}, "_stemming"),
        ({"_stop_words": "german"}, "_stop_words"),
        ({"_max_df": 0}, "_max_df"),
    ],
)
def test_wrong_settings_are_refused(given, expected):
    with pytest.raises(UserError, match=expected):
        values(**given)


class Together:
    """Hosts as threads, which exchange bytes as a real cluster does."""

    def __init__(self, count):
        self.hosts = tuple(f"algo-{n + 1}" for n in range(count))
        self.parts, self.whole = {}, b""
        self.barrier = threading.Barrier(count)

    def of(self, rank):
        return Host(self, rank)


class Host:
    def __init__(self, together, rank):
        self.together, self.rank, self.hosts = together, rank, together.hosts

    def gather(self, part):
        self.together.parts[self.rank] = bytes(part)
        self.together.barrier.wait(300)
        return [self.together.parts[n] for n in range(len(self.hosts))] if self.rank == 0 else []

    def broadcast(self, whole=b""):
        if self.rank == 0:
            self.together.whole = bytes(whole)
        self.together.barrier.wait(300)
        return self.together.whole


def on_hosts(channels, given):
    together, found = Together(len(channels)), {}

    def work(rank):
        try:
            found[rank] = datas.read({"train": channels[rank]}, given, together.of(rank))
        except UserError as error:
            found[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(channels))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[rank] for rank in range(len(channels))]


def test_hosts_agree_on_one_vocabulary_and_keep_their_documents(tmp_path):
    alone = read([text(tmp_path, "train", TRAIN)], values())
    parts = [text(tmp_path / name, "train", lines) for name, lines in (("a", TRAIN[:2]), ("b", TRAIN[2:]))]
    empty = Channel("train", tmp_path / "none", "text/plain")
    empty.path.mkdir()
    found = on_hosts([*parts, empty], values())
    assert all(one.vocabulary == found[0].vocabulary for one in found)
    assert found[0].vocabulary.keys == alone.vocabulary.keys
    assert np.concatenate([one.train.dense() for one in found]).tolist() == alone.train.dense().tolist()
    for error in on_hosts(parts, values(_min_df=6)):
        assert isinstance(error, UserError)
        assert "_min_df (6)" in str(error)
