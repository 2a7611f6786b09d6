"""Training latent Dirichlet allocation, read top to bottom: documents, topics by one of three engines, test channel."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithm import Context, Trained
from sagedock.algorithms.lda import sampling, spectral, variational
from sagedock.algorithms.lda.checkpoints import Checkpoints
from sagedock.algorithms.lda.decomposition import Search
from sagedock.algorithms.lda.hyperparameters import DEFAULTS, GENSIM, GIBBS, SPECTRAL, unused
from sagedock.algorithms.lda.journal import Journal
from sagedock.algorithms.lda.model import LdaModel
from sagedock.algorithms.lda.sampling import CONCENTRATION_A_TOPIC, Settings
from sagedock.contracts import machine
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError
from sagedock.figures import Facts, shown
from sagedock.topics import data as channel_data
from sagedock.topics import embeddings, report
from sagedock.topics.data import Data
from sagedock.topics.documents import Documents
from sagedock.topics.summary import Summary

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Learnt:
    """What an engine found: alpha (topics,), beta (topics, words), passes over the documents that it took, and the
    log-likelihood a word after some of them.
    """

    alpha: Floats
    beta: Floats
    passes: int = 1
    told: Sequence[int] = ()
    likelihoods: Sequence[float] = ()


def train(hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained:
    """Topics of channels["train"], judged on channels["test"] where there is one.

    Raises UserError for data that no topics can be found in.
    """
    journal = Journal(context)
    journal.configuration(DEFAULTS, hyperparameters.given, dict(hyperparameters))
    warn_of_unused(hyperparameters)
    data = channel_data.read(channels, hyperparameters, context.cluster)
    require_documents(data.train, hyperparameters)
    require_words(data.test)
    vectors = embeddings.of_job(context.environment, data.vocabulary)
    journal.loaded(data.train)
    begin = time.time()
    learnt = ENGINES[hyperparameters["_engine"]](data.train, hyperparameters, context, journal)
    context.something_to_save()
    journal.learnt(data.train, learnt.passes, begin, time.time())
    summary = Summary.of(learnt.beta, data.train, data.vocabulary, vectors)
    journal.topics(summary)
    facts = {"engine": hyperparameters["_engine"]}
    model = LdaModel.of(learnt.alpha, learnt.beta, data.vocabulary, facts, summary)
    score = _test(model, data.test, context, journal)
    return Trained(model, *reported(model, summary, learnt, data, score))


def warn_of_unused(values: Values) -> None:
    """Name in the log what was given and has no effect."""
    for name in unused(values):
        log.warning("Hyperparameter %s has no effect with _engine %s", name, values["_engine"])


def require_documents(documents: Documents, values: Values) -> None:
    """Raise UserError where topics cannot be found in so many documents; warn where they are not as many as said."""
    channel_data.require_enough(documents, values["num_topics"])
    if values["mini_batch_size"] != documents.rows:
        log.warning(
            "mini_batch_size is %d, and the train channel holds %d documents: all of them are used",
            values["mini_batch_size"],
            documents.rows,
        )


def require_words(test: Documents | None) -> None:
    """Raise UserError, before any time is spent, where a test channel has nothing to score."""
    if test is not None and not test.tokens:
        raise UserError("no document of the test channel has a word: give documents that are not empty", field="test")


def _by_gibbs(documents: Documents, values: Values, context: Context, journal: Journal) -> Learnt:
    concentration = values.get("_concentration", CONCENTRATION_A_TOPIC * values["num_topics"])
    settings = Settings(
        topics=values["num_topics"],
        sweeps=values["_sweeps"],
        chains=values["_chains"],
        beta=values["_beta"],
        concentration=concentration,
        seed=values["_seed"],
    )
    sampling.require_memory(settings, documents, _available())
    checkpoints = partial(Checkpoints.of, context.checkpoints, values=values)
    found = sampling.sample(documents, settings, lambda corpus: checkpoints(corpus=corpus), context, journal.sampled)
    alpha = found.chain.alpha * (values["alpha0"] / found.chain.alpha.sum())
    passes = settings.chains * found.chain.sweeps
    return Learnt(alpha.astype(np.float32), found.chain.topic_words, passes, found.passes, found.likelihoods)


def _by_gensim(documents: Documents, values: Values, context: Context, journal: Journal) -> Learnt:
    passes = values["epochs"]
    found = variational.learn(documents, values["num_topics"], values["alpha0"], passes, values["_seed"])
    return Learnt(*found, passes)


def _by_moments(documents: Documents, values: Values, context: Context, journal: Journal) -> Learnt:
    topics, alpha0 = values["num_topics"], values["alpha0"]
    if alpha0 >= 1:
        journal.warn_of_alpha0()
    needed, available = spectral.tensor_bytes(topics, documents.vocabulary_size), _available()
    if needed > available:
        raise UserError(
            f"the third moment for {topics} topics takes {needed:,} bytes of memory, and {available:,} are available: "
            "lower num_topics, or set _engine to gibbs",
            field="num_topics",
        )
    search = Search(
        max_restarts=values["max_restarts"],
        max_iterations=values["max_iterations"],
        tol=values["tol"],
        allow_svd_init=values["allow_svd_init"],
        seed=values["_seed"],
        say=journal.say,
        enough=context.should_stop,
    )
    return Learnt(*spectral.learn(documents, topics, alpha0, search, journal.say))


ENGINES = {GIBBS: _by_gibbs, GENSIM: _by_gensim, SPECTRAL: _by_moments}


def _available() -> int:
    return machine.memory_limit() - machine.resident_memory()


def _test(model: LdaModel, documents: Documents | None, context: Context, journal: Journal) -> float | None:
    """The log-likelihood a word of the test channel; None without it, and where the job was stopped before its end."""
    if documents is None:
        journal.say("Test data is not provided.")
        return None
    found = context.unless_stopped(lambda: model.topics.log_likelihood(documents))
    if found is None:
        log.warning("stopped while the test channel was scored: the model is whole, and there are no test figures")
        return None
    journal.tested(found / documents.tokens)
    return found / documents.tokens


def reported(
    model: LdaModel, summary: Summary, learnt: Learnt, data: Data, score: float | None
) -> tuple[Mapping[str, Any], Sequence[Any]]:
    """Metrics (JSON values) and figures."""
    metrics = report.found(summary, learnt.beta, data, model.mixtures)
    metrics |= {
        "documents": data.train.rows,
        "tokens": data.train.tokens,
        "words": data.feature_dim,
        "engine": model.facts["engine"],
        "passes": list(learnt.told),
        "log_likelihoods": list(learnt.likelihoods),
    }
    headline = [("Documents", shown(data.train.rows))]
    if score is not None:
        metrics["test"] = {"documents": data.test.rows if data.test else 0, "pwll": score}
        headline.append(("Log-likelihood a word (test)", shown(score)))
    curves = report.likelihood([float(number) for number in learnt.told], learnt.likelihoods)
    job = Facts(
        "The job",
        [("Engine", model.facts["engine"]), ("Words", shown(data.feature_dim)), ("Tokens", shown(data.train.tokens))],
    )
    return metrics, report.figures(metrics, headline, curves, [job])
