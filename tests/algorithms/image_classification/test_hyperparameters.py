"""The hyperparameters: SageMaker's names, ranges and defaults, what they may not be together, and ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagedock.algorithms.image_classification import hyperparameters
from sagedock.algorithms.image_classification.hyperparameters import HYPERPARAMETERS, PARAMETERS
from sagedock.algorithms.image_classification.training import require_weights
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

REQUIRED = {"num_classes": "5", "num_training_samples": "100"}


def parsed(**given: str) -> Values:
    return HYPERPARAMETERS.parse({**REQUIRED, **given})


@pytest.mark.parametrize("name", ["num_classes", "num_training_samples"])
def test_what_is_missing_is_named(name: str) -> None:
    """image 1, image 2"""
    with pytest.raises(UserError, match=f"Missing required hyperparameter: {name}") as caught:
        HYPERPARAMETERS.parse({other: value for other, value in REQUIRED.items() if other != name})
    assert caught.value.field == name


def test_a_name_that_is_not_known_is_refused_in_the_words_of_the_built_in() -> None:
    """image 3"""
    with pytest.raises(UserError, match=r"Additional hyperparameters are not allowed \('foo' was unexpected\)"):
        parsed(foo="1")


def test_names_of_the_platform_are_not_looked_at() -> None:
    parsed(_tuning_objective_metric="validation:accuracy", sagemaker_region="eu-west-1")


def test_defaults_are_those_of_the_developer_guide() -> None:
    """image 4"""
    values = HYPERPARAMETERS.parse(REQUIRED)
    wanted = {
        "epochs": 30,
        "mini_batch_size": 32,
        "learning_rate": 0.1,
        "num_layers": 152,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "image_shape": (3, 224, 224),
        "optimizer": "sgd",
        "beta_1": 0.9,
        "beta_2": 0.999,
        "eps": 1e-8,
        "gamma": 0.9,
        "lr_scheduler_factor": 0.1,
        "early_stopping": False,
        "early_stopping_min_epochs": 10,
        "early_stopping_patience": 5,
        "early_stopping_tolerance": 0.0,
        "precision_dtype": "float32",
    }
    assert {name: values[name] for name in wanted} == wanted
    assert not {"checkpoint_frequency", "kv_store", "lr_scheduler_step", "resize", "top_k"} & set(values)


def test_what_is_not_given_is_none_once_completed() -> None:
    values = hyperparameters.completed(parsed(resize="256"))
    assert set(values) == {each.name for each in PARAMETERS}
    assert (values["resize"], values["top_k"], values.given["resize"]) == (256, None, "256")


def test_every_default_is_allowed_as_a_text() -> None:
    for each in PARAMETERS:
        if each.default is not None:
            assert each.kind.parse(str(each.default)) == each.default, each.name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", "1.5"),
        ("momentum", "-0.1"),
        ("top_k", "1"),
        ("num_layers", "19"),
        ("optimizer", "lamb"),
        ("precision_dtype", "int8"),
        ("multi_label", "2"),
        ("image_shape", "3,224"),
        ("image_shape", "4,224,224"),
        ("image_shape", "3,0,224"),
        ("kv_store", "local"),
        ("augmentation_type", "flip"),
        ("resize", "0"),
        ("lr_scheduler_step", "10,x"),
        ("lr_scheduler_step", "20,10"),
        ("eps", "2"),
        ("num_classes", "0"),
        ("_serving_precision", "float64"),
    ],
)
def test_what_is_not_allowed_is_named(name: str, value: str) -> None:
    """image 5"""
    with pytest.raises(UserError, match=name) as caught:
        parsed(**{name: value})
    assert caught.value.field == name


def test_steps_may_be_written_with_blanks() -> None:
    """image 6"""
    assert parsed(lr_scheduler_step="10, 20")["lr_scheduler_step"] == (10, 20)
    assert parsed(lr_scheduler_step="10,20")["lr_scheduler_step"] == (10, 20)


@pytest.mark.parametrize(
    ("given", "field", "text"),
    [
        ({"checkpoint_frequency": "7", "epochs": "5"}, "checkpoint_frequency", "7 is more than epochs, 5"),
        (
            {"mini_batch_size": "101"},
            "num_training_samples",
            "The number of input images must be bigger or equal to the mini_batch_size",
        ),
        ({"_frozen_backbone": "1", "augmentation_type": "crop"}, "augmentation_type", "no effect"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, str], field: str, text: str) -> None:
    """image 7, image 51"""
    with pytest.raises(UserError, match=text) as caught:
        parsed(**given)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("given", "field", "text"),
    [
        ({"num_layers": "20"}, "num_layers", "no pretrained networks of 20 layers"),
        ({"num_layers": "18", "image_shape": "3,128,128"}, "image_shape", "3,128,128"),
        ({"num_layers": "18", "image_shape": "1,224,224"}, "image_shape", "1,224,224"),
    ],
)
def test_pretrained_networks_are_of_certain_sizes_and_the_channel_model_of_any(
    given: dict[str, str], field: str, text: str, tmp_path: Path
) -> None:
    """image 8, image 9, image 50"""
    values = parsed(use_pretrained_model="1", **given)
    with pytest.raises(UserError, match=text) as caught:
        require_weights(values, {})
    assert caught.value.field == field
    require_weights(values, {"model": Channel("model", tmp_path)})


def test_a_batch_may_be_as_large_as_the_data() -> None:
    assert parsed(mini_batch_size="100")["mini_batch_size"] == 100


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"use_weighted_loss": "1"}, "use_weighted_loss"),
        ({"top_k": "2", "multi_label": "1"}, "top_k"),
        ({"early_stopping_patience": "3"}, "early_stopping_patience"),
        ({"gamma": "0.5"}, "gamma"),
        ({"momentum": "0.5", "optimizer": "adam"}, "momentum"),
        ({"lr_scheduler_factor": "0.5"}, "lr_scheduler_factor"),
        ({"num_classes": "1"}, "num_classes"),
    ],
)
def test_what_has_no_effect_is_told_and_not_refused(given: dict[str, str], told: str) -> None:
    """image 48"""
    sentences = list(hyperparameters.of_no_effect(parsed(**given)))
    assert len(sentences) == 1
    assert told in sentences[0]


def test_nothing_is_told_of_what_has_an_effect() -> None:
    values = parsed(multi_label="1", use_weighted_loss="1", early_stopping="True", early_stopping_patience="3")
    assert not list(hyperparameters.of_no_effect(values))
