"""What a job tells its log, in the words of the built-in algorithm, which people search for (their misspelling too)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagedock import metric_lines
from sagedock.algorithm import Context
from sagedock.algorithms.lda import artefact
from sagedock.algorithms.lda.hyperparameters import PWLL
from sagedock.topics.documents import Documents
from sagedock.topics.summary import Summary

ALGORITHM = "LDA"
SECONDS_BETWEEN = 5.0
"""At least so far apart are two lines of progress."""


@dataclass
class Journal:
    """The log lines of the host."""

    context: Context
    _told: float | None = None

    @property
    def host(self) -> str:
        return self.context.cluster.hosts[self.context.cluster.rank]

    def say(self, text: str) -> None:
        """One line of text behind the time."""
        self.context.emit(metric_lines.prefixed(text))

    def configuration(self, default: Mapping[str, Any], given: Mapping[str, str], final: Mapping[str, Any]) -> None:
        """What the job is asked for."""
        self.say(f"Reading default configuration: {json.dumps(default)}")
        self.say(f"Merging with provided configuration: {json.dumps(given)}")
        self.say(f"Final configuration: {json.dumps(final)}")

    def loaded(self, documents: Documents) -> None:
        """The documents are in memory, where they stay sparse."""
        self.say(f"Loaded all data into matrix with shape: {(documents.rows, documents.vocabulary_size)}")

    def warn_of_alpha0(self) -> None:
        """The built-in says so of a sum of one, too, which is its default."""
        self.context.emit(metric_lines.prefixed("Algorithm assumes alpha0 < 1.0. May return poor results", "WARNING"))

    def sampled(self, sweeps: int, total: int, likelihood: float) -> None:
        """So many sweeps are done; told at the first and the last time, and between them from time to time."""
        self.context.progress(sweeps, total)
        now = time.monotonic()
        if self._told is not None and now - self._told < SECONDS_BETWEEN and sweeps < total:
            return
        self._told = now
        self.say(f"[Gibbs] sweep={sweeps}, log-likelihood per word={likelihood!r}")
        if sweeps < total:
            self.context.emit(metric_lines.progress_metric(self.host, 100 * sweeps / total))

    def learnt(self, documents: Documents, passes: int, begin: float, end: float) -> None:
        """The topics are found, after so many passes over the documents; times are seconds since 1970."""
        self.context.emit(metric_lines.progress_metric(self.host, 100))
        self.context.progress(100, 100)
        figures = {"epochs": 1, "Total Records Seen": documents.rows, "update.time": 1000 * (end - begin)}
        self.context.emit(metric_lines.metrics(ALGORITHM, self.host, "training", begin, end, figures, epoch=0))
        self.context.emit(metric_lines.throughput_metric(self.host, documents.rows * passes, end - begin))

    def topics(self, summary: Summary) -> None:
        """The top words of each topic, and where the model goes."""
        for line in summary.log_lines():
            self.say(line)
        self.say(f"Serializing LDA model to {self.context.model_directory / artefact.NAME}")

    def tested(self, score: float) -> None:
        """The log-likelihood a word of the test channel, in both spellings of the family."""
        self.context.emit(metric_lines.quality_metric(self.host, "test", PWLL, score, kind="score"))
        self.context.emit(metric_lines.final_score(self.host, PWLL, score))
