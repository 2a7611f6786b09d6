"""The hyperparameters: SageMaker's names, ranges and defaults, and what ours change."""

from __future__ import annotations

import math

import pytest

from sagedock.algorithms.ntm import hyperparameters
from sagedock.algorithms.ntm.hyperparameters import DEFAULTS, HYPERPARAMETERS
from sagedock.errors import UserError

REQUIRED = {"feature_dim": "2000", "num_topics": "20"}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"feature_dim": None}, "feature_dim"),
        ({"num_topics": None}, "num_topics"),
        ({"num_topics": "1"}, "num_topics"),
        ({"num_topics": "1001"}, "num_topics"),
        ({"sub_sample": "1.1"}, "sub_sample"),
        ({"sub_sample": "0"}, "sub_sample"),
        ({"tolerance": "0.2"}, "tolerance"),
        ({"optimizer": "adamw"}, "optimizer"),
        ({"encoder_layers": "a,b"}, "encoder_layers"),
        ({"encoder_layers": "0"}, "encoder_layers"),
        ({"encoder_layers": ",".join(["5"] * 33)}, "encoder_layers"),
        ({"clip_gradient": "0"}, "clip_gradient"),
        ({"_dropout": "0.2"}, "_dropout"),
    ],
)
def test_what_is_missing_or_not_allowed_is_named(given: dict[str, str | None], name: str) -> None:
    """ntm_lda N1"""
    with pytest.raises(UserError, match=name) as caught:
        HYPERPARAMETERS.parse({**REQUIRED, **given})
    assert caught.value.field == name


def test_layers_are_three_and_two_times_the_topics_or_as_asked() -> None:
    """ntm_lda N2"""
    assert hyperparameters.layers(HYPERPARAMETERS.parse(REQUIRED)) == (60, 40)
    assert hyperparameters.layers(HYPERPARAMETERS.parse({**REQUIRED, "encoder_layers": "100,50"})) == (100, 50)
    assert hyperparameters.layers(HYPERPARAMETERS.parse({**REQUIRED, "encoder_layers": "auto"})) == (60, 40)


def test_defaults_are_those_of_the_container() -> None:
    """ntm_lda N3"""
    values = HYPERPARAMETERS.parse({**REQUIRED, "clip_gradient": "Inf"})
    assert values["learning_rate"] == DEFAULTS["learning_rate"] == 0.01
    assert values["clip_gradient"] == math.inf
    assert DEFAULTS["clip_gradient"] == "Inf"
    assert hyperparameters.told(values)["clip_gradient"] == "Inf"
    assert hyperparameters.optimizer(values) == "adadelta"
    assert hyperparameters.activation(values) == "sigmoid"


def test_the_other_network_has_the_settings_of_its_paper_unless_told() -> None:
    prodlda = HYPERPARAMETERS.parse({**REQUIRED, "_network": "prodlda"})
    assert hyperparameters.optimizer(prodlda) == "adam"
    assert hyperparameters.activation(prodlda) == "softplus"
    assert hyperparameters.dropout(prodlda) > 0
    told = {**REQUIRED, "_network": "prodlda", "optimizer": "sgd", "learning_rate": "0.5", "_dropout": "0"}
    values = HYPERPARAMETERS.parse({**told, "encoder_layers_activation": "relu"})
    assert hyperparameters.optimizer(values) == "sgd"
    assert hyperparameters.learning_rate(values) == 0.5
    assert hyperparameters.dropout(values) == 0
    assert hyperparameters.activation(values) == "relu"


def test_names_that_the_built_in_accepts_untold_are_accepted() -> None:
    hidden = {"_tuning_objective_metric": "", "_num_gpus": "auto", "_kvstore": "auto_gpu", "_num_kv_servers": "auto"}
    HYPERPARAMETERS.parse({**REQUIRED, **hidden, "_data_format": "record"})
