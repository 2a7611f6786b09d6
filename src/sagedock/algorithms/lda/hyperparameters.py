"""The hyperparameters of SageMaker's LDA (developer guide, "LDA Hyperparameters"), and those it accepts untold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sagedock.algorithms.lda.gibbs import MOST_TOPICS
from sagedock.contracts.hyperparameters import (
    Boolean,
    Categorical,
    Declaration,
    Integer,
    Interval,
    Parameter,
    Real,
    Rule,
    Text,
    Values,
)
from sagedock.topics import text_parameters

GIBBS, GENSIM, SPECTRAL = "gibbs", "gensim", "spectral"
PWLL = "pwll"
"""Log-likelihood a word, of the test channel."""

PARAMETERS = (
    Parameter("num_topics", Integer(Interval(1, MOST_TOPICS)), "Topics to find.", required=True, tuning="1 to 150"),
    Parameter("feature_dim", Integer(Interval(1)), "Words of the vocabulary.", required=True),
    Parameter(
        "mini_batch_size",
        Integer(Interval(1)),
        "Documents of the train channel in all. Another number than there are is warned of.",
        required=True,
    ),
    Parameter(
        "alpha0",
        Real(Interval(0, low_open=True)),
        "The sum of alpha, the prior of a document's topics: the smaller, the fewer topics a document has.",
        default=1.0,
        tuning="0.1 to 10",
    ),
    Parameter(
        "max_restarts",
        Integer(Interval(1)),
        "With _engine spectral: times that the decomposition is begun.",
        default=10,
    ),
    Parameter(
        "max_iterations",
        Integer(Interval(1)),
        "With _engine spectral: iterations of the decomposition at most.",
        default=1000,
    ),
    Parameter(
        "tol",
        Real(Interval(0, low_open=True)),
        "With _engine spectral: change of the error at which the decomposition ends.",
        default=1e-8,
    ),
    Parameter(
        "allow_svd_init",
        Boolean(),
        "With _engine spectral: begin the first two times with singular vectors.",
        default=True,
    ),
    Parameter("epochs", Integer(Interval(1)), "With _engine gensim: passes over the documents.", default=1),
    Parameter("_kvstore", Text(), "Accepted without effect.", default="local"),
    Parameter(
        "_engine",
        Categorical((GIBBS, GENSIM, SPECTRAL)),
        "Extension of sagedock: what finds the topics. gibbs, collapsed Gibbs sampling, is the fastest and finds the "
        "most coherent ones; gensim is its LdaModel; spectral is the method of the built-in.",
        default=GIBBS,
    ),
    Parameter("_seed", Integer(Interval(0)), "Extension of sagedock: seed of all random numbers.", default=0),
    Parameter(
        "_sweeps",
        Integer(Interval(1)),
        "Extension of sagedock, with _engine gibbs: times that each word's topic is drawn.",
        default=200,
    ),
    Parameter(
        "_chains",
        Integer(Interval(1, 100)),
        "Extension of sagedock, with _engine gibbs: times that topics are sampled from a new beginning; the most "
        "coherent ones (NPMI of the train channel) are the model.",
        default=3,
    ),
    Parameter(
        "_beta",
        Real(Interval(0, low_open=True)),
        "Extension of sagedock, with _engine gibbs: the prior of each word in a topic.",
        default=0.03,
    ),
    Parameter(
        "_concentration",
        Real(Interval(0, low_open=True)),
        "Extension of sagedock, with _engine gibbs: the sum of the prior that topics are sampled with. What more than "
        "alpha0 there is makes topics differ more in their words.",
        library_default="0.175 num_topics",
    ),
    *text_parameters.PARAMETERS,
)

_OF_ENGINE: Mapping[str, frozenset[str]] = {
    GIBBS: frozenset({"_sweeps", "_chains", "_beta", "_concentration"}),
    GENSIM: frozenset({"epochs"}),
    SPECTRAL: frozenset({"max_restarts", "max_iterations", "tol", "allow_svd_init"}),
}


def _check_engine(values: Values) -> Iterable[str]:
    """Extensions of another engine are refused; what the built-in knows is accepted, and has no effect."""
    for engine, names in _OF_ENGINE.items():
        for name in sorted(names & set(values.given)):
            if engine != values["_engine"] and name.startswith("_"):
                used = values["_engine"]
                yield f"{name} has no meaning with _engine {used}: leave it out, or set _engine to {engine}"


HYPERPARAMETERS = Declaration(
    PARAMETERS,
    (Rule(("_engine", *sorted(_OF_ENGINE[GIBBS])), _check_engine), *text_parameters.RULES),
    unknown="Additional properties are not allowed ({name!r} was unexpected)",
)

NOT_OF_THE_MODEL = frozenset({"mini_batch_size", "alpha0", "_kvstore"}) | _OF_ENGINE[SPECTRAL] | _OF_ENGINE[GENSIM]
"""Hyperparameters in which a sampling may differ from the one whose checkpoint it resumes."""

DEFAULTS: Mapping[str, Any] = {each.name: each.default for each in PARAMETERS if each.default is not None}


def unused(values: Values) -> list[str]:
    """Names that were given, are the built-in's, and have no effect with the engine."""
    others = {name for engine, names in _OF_ENGINE.items() if engine != values["_engine"] for name in names}
    return sorted(name for name in others & set(values.given) if not name.startswith("_"))
