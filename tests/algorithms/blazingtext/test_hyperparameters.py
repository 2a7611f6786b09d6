"""The hyperparameters of BlazingText: two sets by mode, their ranges and conditions (blazingtext.md section 1)."""

from __future__ import annotations

import pytest

from sagedock.algorithms.blazingtext.hyperparameters import HYPERPARAMETERS, WORD_VECTORS, without_effect
from sagedock.errors import UserError


def parse(**given: str):
    return HYPERPARAMETERS.parse({"mode": "supervised", **given})


@pytest.mark.parametrize("mode", [None, "", "glove", "Supervised"])
def test_the_mode_is_required_and_one_of_four(mode: str | None) -> None:
    """blazingtext 1: the message names the hyperparameter and what is allowed."""
    with pytest.raises(UserError, match="mode") as caught:
        HYPERPARAMETERS.parse({} if mode is None else {"mode": mode})
    assert caught.value.field == "mode"
    assert all(name in str(caught.value) for name in (*WORD_VECTORS, "supervised"))


def test_batch_skipgram_learns_no_subwords() -> None:
    """blazingtext 1"""
    with pytest.raises(UserError, match="Hyperparameter subwords: mode batch_skipgram"):
        parse(mode="batch_skipgram", subwords="True")
    assert not parse(mode="batch_skipgram", subwords="False")["subwords"]
    assert parse(mode="cbow", subwords="True")["subwords"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", "33"),
        ("batch_size", "0"),
        ("vector_dim", "2049"),
        ("vector_dim", "0"),
        ("sampling_threshold", "0"),
        ("sampling_threshold", "1"),
        ("min_count", "-1"),
        ("learning_rate", "0"),
        ("learning_rate", "-0.1"),
        ("buckets", "0"),
        ("epochs", "0"),
        ("min_char", "0"),
        ("max_char", "0"),
        ("negative_samples", "0"),
        ("window_size", "0"),
        ("min_epochs", "0"),
        ("patience", "0"),
        ("word_ngrams", "0"),
        ("word_ngrams", "101"),
        ("max_char", "101"),
        ("_threads", "0"),
        ("_seed", "-1"),
    ],
)
def test_values_out_of_range(name: str, value: str) -> None:
    """blazingtext 2"""
    for mode in ("supervised", "skipgram"):
        with pytest.raises(UserError, match=f"Hyperparameter {name}: {value} is not in"):
            parse(mode=mode, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", "32"),
        ("vector_dim", "2048"),
        ("sampling_threshold", "0.999"),
        ("min_count", "0"),
        ("word_ngrams", "100"),
    ],
)
def test_the_ends_of_ranges(name: str, value: str) -> None:
    """blazingtext 2, from the other side."""
    assert parse(mode="batch_skipgram", **{name: value})[name] == float(value)


def test_the_shortest_subword_is_no_longer_than_the_longest() -> None:
    with pytest.raises(UserError, match="Hyperparameter min_char: 7 is above max_char, which is 6"):
        parse(mode="skipgram", subwords="true", min_char="7")
    assert parse(mode="skipgram", min_char="7")["min_char"] == 7, "without subwords neither means anything"


DEFAULTS = {
    "batch_size": 11,
    "buckets": 2_000_000,
    "early_stopping": False,
    "epochs": 5,
    "evaluation": True,
    "learning_rate": 0.05,
    "max_char": 6,
    "min_char": 3,
    "min_count": 5,
    "min_epochs": 5,
    "negative_samples": 5,
    "patience": 4,
    "sampling_threshold": 0.0001,
    "subwords": False,
    "vector_dim": 100,
    "window_size": 5,
    "word_ngrams": 2,
}


@pytest.mark.parametrize("mode", ["supervised", *WORD_VECTORS])
def test_defaults_are_those_of_the_built_in(mode: str) -> None:
    """blazingtext 3"""
    values = parse(mode=mode)
    assert {name: values[name] for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("text", ["True", "true", "TRUE", '"True"', "1"])
def test_booleans_as_the_notebooks_spell_them(text: str) -> None:
    assert parse(early_stopping=text)["early_stopping"] is True
    assert parse(mode="cbow", evaluation="False")["evaluation"] is False


def test_names_of_tuning_jobs_are_tolerated() -> None:
    assert "_tuning_objective_metric" not in parse(_tuning_objective_metric="validation:accuracy")


@pytest.mark.parametrize(
    ("given", "unused"),
    [
        ({"mode": "supervised", "window_size": "5", "word_ngrams": "2"}, ["window_size"]),
        ({"mode": "supervised", "patience": "2"}, ["patience"]),
        ({"mode": "supervised", "patience": "2", "early_stopping": "True"}, []),
        ({"mode": "skipgram", "batch_size": "11", "early_stopping": "False"}, ["batch_size", "early_stopping"]),
        ({"mode": "batch_skipgram", "batch_size": "11", "min_char": "3", "buckets": "9"}, ["min_char", "buckets"]),
        ({"mode": "cbow", "subwords": "True", "min_char": "3", "buckets": "9"}, []),
    ],
)
def test_what_means_nothing_in_a_mode_is_accepted_and_told(given: dict[str, str], unused: list[str]) -> None:
    """The built-in's notebooks send some of both sets; nothing that it takes is refused here."""
    assert without_effect(HYPERPARAMETERS.parse(given)) == unused
