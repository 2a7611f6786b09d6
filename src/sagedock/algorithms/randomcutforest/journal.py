"""What a job tells its log, in the words of the built-in algorithm, which people search for (its misspelling too)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagedock import metric_lines
from sagedock.algorithm import Context
from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.forest import Forest

ALGORITHM = "RandomCutForest"
SECONDS_BETWEEN = 5.0
"""At least so far apart are two lines of progress."""


@dataclass
class Journal:
    """The log lines of one host."""

    context: Context
    _told: float = 0.0

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
        self.say("Verifying hyperparamemters...")
        self.say("Hyperparameters are correct.")

    def progress(self, share: float) -> None:
        """How much of the pass over the data is done, 0 to 1; told from time to time."""
        self.context.progress(min(99, int(100 * share)), 100)
        now = time.monotonic()
        if now - (self._told or now) > SECONDS_BETWEEN:
            self.context.emit(metric_lines.progress_metric(self.host, min(99, int(100 * share))))
            self._told = now
        self._told = self._told or now

    def sampled(self, pipeline: str, rows: int, size: int, batch: int, begin: float, end: float) -> None:
        """The pass is over: `rows` of `size` bytes in memory have come by; times are seconds since 1970."""
        seconds = end - begin
        self.context.emit(metric_lines.epoch_statistics(pipeline, 0, seconds, -(-rows // batch), size))
        self.say("Sampling training data completed.")
        self.say("Early stop condition met. Stopping training.")
        self.context.emit(metric_lines.progress_metric(self.host, 100, last=True))
        self.context.progress(100, 100)
        figures = {"epochs": 1, "Total Records Seen": rows, "update.time": 1000 * seconds}
        self._metrics("training", begin, end, figures, epoch=0)
        self.context.emit(metric_lines.throughput_metric(self.host, rows, seconds))

    def built(self, detector: Detector, begin: float, end: float) -> None:
        """The forest stands."""
        forest = detector.forest
        self.say("Random Cut Forest built: ")
        self.context.emit("")
        self.context.emit(forest_info(forest, detector.shingle_size))
        figures = {"fit_model.time": 1000 * (end - begin), "model.bytes": forest.memory_bytes}
        self._metrics("training", begin, end, figures)
        self.say("Master node: Serializing the RandomCutForest model")

    def tested(self, figures: Mapping[str, float]) -> None:
        """The figures of the test channel, in both spellings of the family."""
        for name, value in figures.items():
            self.context.emit(metric_lines.quality_metric(self.host, "test", name, value, kind="score"))
            self.context.emit(metric_lines.final_score(self.host, name, value))

    def _metrics(self, operation: str, begin: float, end: float, values: Mapping[str, float], **more: Any) -> None:
        self.context.emit(metric_lines.metrics(ALGORITHM, self.host, operation, begin, end, values, **more))


def forest_info(forest: Forest, shingle_size: int = 1) -> str:
    """The built-in's one line about its forest; averages are cut to whole numbers."""
    nodes, depths = forest.node_counts, forest.depths
    facts = {
        "num_trees": forest.trees,
        "num_samples_in_forest": forest.trees * forest.samples_per_tree,
        "num_samples_per_tree": forest.samples_per_tree,
        "sample_dim": forest.columns,
        "shingle_size": shingle_size,
        "trees_num_nodes": _listed(nodes.tolist()),
        "trees_depth": _listed(depths.tolist()),
        "max_num_nodes": nodes.max(),
        "min_num_nodes": nodes.min(),
        "avg_num_nodes": int(nodes.mean()),
        "max_tree_depth": depths.max(),
        "min_tree_depth": depths.min(),
        "avg_tree_depth": int(depths.mean()),
        "mem_size": forest.memory_bytes,
    }
    return f"ForestInfo{{{', '.join(f'{name}: {value}' for name, value in facts.items())}}}"


def _listed(values: list[int]) -> str:
    """Every number is followed by a comma, the last one too."""
    return f"[{''.join(f'{value}, ' for value in values)}]"
