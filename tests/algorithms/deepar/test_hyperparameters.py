"""DeepAR's hyperparameters: what is read, and what is refused in words that name it."""

from __future__ import annotations

import pytest

from sagedock.algorithms.deepar.hyperparameters import HYPERPARAMETERS, LIKELIHOODS
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

REQUIRED = {"context_length": "72", "epochs": "20", "prediction_length": "48", "time_freq": "H"}


def parsed(**given: object) -> Values:
    return HYPERPARAMETERS.parse({**REQUIRED, **given})


def test_the_defaults_are_the_built_ins() -> None:
    found = dict(parsed())
    assert found.pop("_seed") == 0
    assert found.pop("_recipe") == "built-in"
    assert found == {
        "context_length": 72,
        "epochs": 20,
        "prediction_length": 48,
        "time_freq": "H",
        "cardinality": "auto",
        "dropout_rate": 0.1,
        "embedding_dimension": 10,
        "learning_rate": 0.001,
        "likelihood": "student-T",
        "mini_batch_size": 128,
        "num_cells": 40,
        "num_dynamic_feat": "auto",
        "num_eval_samples": 100,
        "num_layers": 2,
        "test_quantiles": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    }


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_required_is_named_when_it_is_missing(name: str) -> None:
    """deepar 1."""
    with pytest.raises(UserError, match=f"Missing required hyperparameter: {name} ") as caught:
        HYPERPARAMETERS.parse({key: value for key, value in REQUIRED.items() if key != name})
    assert caught.value.field == name


@pytest.mark.parametrize(("given", "found"), [("5min", "5min"), ("H", "H"), ("2H", "2H"), ("1D", "D"), ("W", "W")])
def test_frequencies_are_read(given: str, found: str) -> None:
    """deepar 1."""
    assert parsed(time_freq=given)["time_freq"] == found


@pytest.mark.parametrize("given", ["Q", "s", "0D", "hour"])
def test_other_frequencies_are_refused(given: str) -> None:
    """deepar 1."""
    with pytest.raises(UserError, match=f"Hyperparameter time_freq: could not parse value '{given}'.*M, W, D, H, min"):
        parsed(time_freq=given)


@pytest.mark.parametrize(
    ("given", "found"),
    [("student-T", "student-T"), ("student-t", "student-T"), ("Negative-Binomial", "negative-binomial")],
)
def test_a_likelihood_is_read_in_any_case(given: str, found: str) -> None:
    """deepar 2."""
    assert parsed(likelihood=given)["likelihood"] == found


def test_every_likelihood_is_read() -> None:
    assert [parsed(likelihood=name.upper())["likelihood"] for name in LIKELIHOODS] == list(LIKELIHOODS)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("likelihood", "poisson", r"poisson is not in \{gaussian, beta"),
        ("test_quantiles", "[0.5, 1.2]", r"value 1.2 not in range \(0, 1\)"),
        ("test_quantiles", "[0.5, 0.5]", "names a quantile twice"),
        ("dropout_rate", "1", "1 is not in"),
        ("epochs", "0", r"0 is not in \[1"),
        ("cardinality", "[3, 0]", r"value 0 not in range auto, ignore, \[1|value 0 not in range \[1"),
        ("cardinality", "many", "could not parse value 'many'"),
        ("num_dynamic_feat", "-1", "-1 is not in"),
        ("early_stopping_patience", "0", "0 is not in"),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: str, message: str) -> None:
    """deepar 2."""
    with pytest.raises(UserError, match=message) as caught:
        parsed(**{name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("name", ["cardinality", "num_dynamic_feat"])
@pytest.mark.parametrize("empty", ["", '""', " "])
def test_an_empty_text_is_ignore(name: str, empty: str) -> None:
    """deepar 8."""
    assert parsed(**{name: empty})[name] == "ignore"
    assert parsed(**{name: None})[name] == "auto"


def test_lists_and_numbers_are_read_beside_the_words() -> None:
    found = parsed(cardinality="[3, 2]", num_dynamic_feat="2", early_stopping_patience="40", test_quantiles="[0.5]")
    assert found["cardinality"] == (3, 2)
    assert found["num_dynamic_feat"] == 2
    assert found["early_stopping_patience"] == 40
    assert found["test_quantiles"] == (0.5,)
    assert "early_stopping_patience" not in parsed(early_stopping_patience="")


def test_what_the_container_adds_is_accepted() -> None:
    hidden = {"_num_gpus": "auto", "_kvstore": "auto", "_num_kv_servers": "auto"}
    assert dict(parsed(_tuning_objective_metric="test:RMSE", **hidden)) == dict(parsed())
