"""Random Cut Forest's hyperparameters: section 1 of its specification."""

from __future__ import annotations

import pytest

from sagedock.algorithms.randomcutforest.hyperparameters import HYPERPARAMETERS
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError


def parse(**raw: object) -> Values:
    return HYPERPARAMETERS.parse({"feature_dim": "3", **raw})


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("feature_dim", ("1", "10000"), ("0", "10001")),
        ("num_trees", ("50", "1000"), ("49", "1001")),
        ("num_samples_per_tree", ("1", "2048"), ("0", "2049")),
    ],
)
def test_values_outside_the_range_fail(name: str, allowed: tuple[str, ...], refused: tuple[str, ...]) -> None:
    """rcf 1: the error names hyperparameter, value and range."""
    for value in allowed:
        assert parse(**{name: value})[name] == int(value)
    for value in refused:
        with pytest.raises(UserError, match=rf"{name}: {value} is not in \[{allowed[0]}, {allowed[1]}\]"):
            parse(**{name: value})


def test_feature_dim_is_required() -> None:
    """rcf 1: its absence is named."""
    with pytest.raises(UserError, match="Missing required hyperparameter: feature_dim"):
        HYPERPARAMETERS.parse({})


@pytest.mark.parametrize("text", ['["accuracy"]', "accuracy", "['accuracy']"])
def test_a_metric_is_chosen(text: str) -> None:
    """rcf 3: as JSON or bare."""
    assert parse(eval_metrics=text)["eval_metrics"] == ("accuracy",)


def test_an_unknown_metric_fails() -> None:
    """rcf 3"""
    with pytest.raises(UserError, match=r"eval_metrics: value auc not in range \{accuracy, precision_recall_fscore\}"):
        parse(eval_metrics='["auc"]')


def test_hidden_names_are_accepted() -> None:
    """rcf 4: what the SDK and the built-in's own defaults send."""
    hidden = {
        "mini_batch_size": "1000",
        "force_dense": "true",
        "epochs": "1",
        "_kvstore": "dist_async",
        "_ftp_port": "8999",
        "_num_gpus": "auto",
        "_num_kv_servers": "auto",
        "_log_level": "info",
        "_tuning_objective_metric": "",
    }
    assert parse(**hidden)["mini_batch_size"] == 1000


def test_an_unknown_name_fails_in_the_words_of_the_built_in() -> None:
    """rcf 4: foo, and the name that an old page of the documentation misspells."""
    with pytest.raises(UserError, match=r"Additional properties are not allowed \('foo' was unexpected\)"):
        parse(foo=1)
    with pytest.raises(UserError, match=r"'eval_metics' was unexpected.*did you mean 'eval_metrics'"):
        parse(eval_metics="accuracy")
