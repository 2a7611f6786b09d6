"""The hyperparameters of SageMaker's NTM (developer guide, "NTM Hyperparameters"), and those it accepts untold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagedock.contracts.hyperparameters import (
    Boolean,
    Categorical,
    Declaration,
    Integer,
    Interval,
    ListOf,
    Parameter,
    Real,
    Rule,
    Text,
    Values,
)
from sagedock.topics import text_parameters

LOSS = "total_loss"
AUTO = "auto"
NVDM, PRODLDA = "nvdm", "prodlda"
SIGMOID, TANH, RELU, SOFTPLUS = "sigmoid", "tanh", "relu", "softplus"
OPTIMIZERS = ("sgd", "adam", "adagrad", "adadelta", "rmsprop")
DROPOUT, PRIOR, COHERENCE = 0.4, 1.0, 1.0
"""What prodlda has where the job says nothing (docs/decisions/0045)."""
MOST_WORDS, MOST_TOPICS, MOST_UNITS, MOST_LAYERS = 1_000_000, 1000, 100_000, 32


@dataclass(frozen=True)
class Layers:
    """Widths of layers joined by commas, or auto."""

    widths = ListOf(Integer(Interval(1, MOST_UNITS)))

    type_text = "list of integer"
    range_text = f"{AUTO}, or up to {MOST_LAYERS} of [1, {MOST_UNITS}]"

    def parse(self, text: str) -> tuple[int, ...] | str:
        """The widths, or AUTO."""
        return AUTO if text.lower() == AUTO else self.widths.parse(text)


PARAMETERS = (
    Parameter("feature_dim", Integer(Interval(1, MOST_WORDS)), "Words of the vocabulary.", required=True),
    Parameter("num_topics", Integer(Interval(2, MOST_TOPICS)), "Topics to find.", required=True),
    Parameter("batch_norm", Boolean(), "Normalise each layer of the encoder over the mini-batch.", default=False),
    Parameter(
        "clip_gradient",
        Real(Interval(1e-3), infinite=True),
        "Numbers of the gradient are held between it and its negative.",
        default=math.inf,
    ),
    Parameter(
        "encoder_layers",
        Layers(),
        "Widths of the encoder's layers; auto is 3 num_topics, 2 num_topics (100, 100 with _network prodlda).",
        default=AUTO,
    ),
    Parameter(
        "encoder_layers_activation",
        Categorical((SIGMOID, TANH, RELU)),
        "What follows each layer of the encoder.",
        library_default="sigmoid (softplus with _network prodlda)",
        tuning="sigmoid, tanh, relu",
    ),
    Parameter("epochs", Integer(Interval(1)), "Passes over the train channel at most.", default=50),
    Parameter(
        "learning_rate",
        Real(Interval(1e-6, 1.0)),
        "Size of the optimizer's steps; adadelta, as the built-in has it, takes no notice of it.",
        default=0.01,
        tuning="0.0001 to 0.1",
    ),
    Parameter(
        "mini_batch_size",
        Integer(Interval(1, 10_000)),
        "Documents of a step, on each host.",
        default=256,
        tuning="16 to 2048",
    ),
    Parameter(
        "num_patience_epochs",
        Integer(Interval(1)),
        "Training ends when more epochs than these, one after the other, bring less improvement than tolerance; "
        "more than epochs for never.",
        default=3,
    ),
    Parameter(
        "optimizer",
        Categorical(OPTIMIZERS),
        "What makes steps of gradients, as MXNet has it.",
        default="adadelta",
        tuning="sgd, adam, adadelta",
    ),
    Parameter(
        "rescale_gradient",
        Real(Interval(1e-3, 1.0)),
        "The gradient is multiplied by it before it is clipped.",
        default=1.0,
        tuning="0.1 to 1.0",
    ),
    Parameter(
        "sub_sample",
        Real(Interval(0.0, 1.0, low_open=True)),
        "Share of the documents that each epoch trains on, drawn anew.",
        default=1.0,
    ),
    Parameter(
        "tolerance",
        Real(Interval(1e-6, 0.1)),
        "By so much, in all, a loss has to be lower than the lowest of the last num_patience_epochs.",
        default=0.001,
    ),
    Parameter(
        "weight_decay",
        Real(Interval(0.0, 1.0)),
        "Times each weight, added to its gradient.",
        default=0.0,
        tuning="0.0 to 1.0",
    ),
    Parameter(
        "_network",
        Categorical((NVDM, PRODLDA)),
        "Extension of sagedock: nvdm is the built-in's network; prodlda, with a Dirichlet prior, batch normalisation "
        "and dropout, finds more coherent topics.",
        default=NVDM,
    ),
    Parameter(
        "_dropout",
        Real(Interval(0.0, 1.0, high_open=True)),
        "Extension of sagedock, with _network prodlda: share of a document's topics left out in a step.",
        library_default=str(DROPOUT),
    ),
    Parameter(
        "_prior",
        Real(Interval(0.001, 100.0)),
        "Extension of sagedock, with _network prodlda: the parameter of the Dirichlet prior.",
        library_default=str(PRIOR),
    ),
    Parameter(
        "_coherence",
        Real(Interval(0.0, 1000.0)),
        "Extension of sagedock, with _network prodlda: what topics of words that meet in documents are worth, in nats "
        "a document and topic; 0 for nothing.",
        library_default=str(COHERENCE),
    ),
    Parameter("_seed", Integer(Interval(0)), "Extension of sagedock: seed of all random numbers.", default=0),
    Parameter("_data_format", Text(), "Accepted without effect.", default="record"),
    Parameter("_kvstore", Text(), "Accepted without effect.", default="auto_gpu"),
    Parameter("_num_gpus", Text(), "Accepted without effect.", default="auto"),
    Parameter("_num_kv_servers", Text(), "Accepted without effect.", default="auto"),
    *text_parameters.PARAMETERS,
)


def _check_layers(values: Values) -> Iterable[str]:
    if values["encoder_layers"] != AUTO and len(values["encoder_layers"]) > MOST_LAYERS:
        yield f"Hyperparameter encoder_layers: {len(values['encoder_layers'])} layers are more than {MOST_LAYERS}"


def _of_prodlda(name: str) -> Rule:
    def check(values: Values) -> Iterable[str]:
        if name in values.given and values["_network"] != PRODLDA:
            used = values["_network"]
            yield f"{name} has no meaning with _network {used}: leave it out, or set _network to {PRODLDA}"

    return Rule((name, "_network"), check)


HYPERPARAMETERS = Declaration(
    PARAMETERS,
    (
        Rule(("encoder_layers",), _check_layers),
        _of_prodlda("_dropout"),
        _of_prodlda("_prior"),
        _of_prodlda("_coherence"),
        *text_parameters.RULES,
    ),
    unknown="Additional properties are not allowed ({name!r} was unexpected)",
)

NOT_OF_THE_MODEL = frozenset(
    {"epochs", "num_patience_epochs", "tolerance", "_data_format", "_kvstore", "_num_gpus", "_num_kv_servers"}
)
"""Hyperparameters in which a job may differ from the one whose checkpoint it resumes."""

_TEXTS = {"clip_gradient": "Inf"}
DEFAULTS: Mapping[str, Any] = {
    each.name: _TEXTS.get(each.name, each.default) for each in PARAMETERS if each.default is not None
}
"""For the log."""


def told(values: Values) -> dict[str, Any]:
    """The values as the log has them."""
    found = dict(values)
    if math.isinf(found["clip_gradient"]):
        found["clip_gradient"] = "Inf"
    found["encoder_layers"] = list(layers(values))
    return found


def layers(values: Values) -> tuple[int, ...]:
    """Widths of the encoder's layers."""
    topics = values["num_topics"]
    automatic = (100, 100) if values["_network"] == PRODLDA else (3 * topics, 2 * topics)
    return automatic if values["encoder_layers"] == AUTO else tuple(values["encoder_layers"])


def activation(values: Values) -> str:
    """What follows each of them."""
    return str(values.get("encoder_layers_activation", SOFTPLUS if values["_network"] == PRODLDA else SIGMOID))


def optimizer(values: Values) -> str:
    """The optimizer: with prodlda, unless another is asked for, that of its paper."""
    return "adam" if _is_left_to(values, "optimizer") else str(values["optimizer"])


def learning_rate(values: Values) -> float:
    """The same of the rate."""
    return 0.002 if _is_left_to(values, "learning_rate") else float(values["learning_rate"])


def dropout(values: Values) -> float:
    """Share of a document's topics left out in a step."""
    return float(values.get("_dropout", DROPOUT)) if values["_network"] == PRODLDA else 0.0


def coherence(values: Values) -> float:
    """What coherent topics are worth."""
    return float(values.get("_coherence", COHERENCE)) if values["_network"] == PRODLDA else 0.0


def prior(values: Values) -> float:
    """The parameter of the Dirichlet prior."""
    return float(values.get("_prior", PRIOR))


def _is_left_to(values: Values, name: str) -> bool:
    return values["_network"] == PRODLDA and name not in values.given
