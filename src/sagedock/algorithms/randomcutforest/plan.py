"""What a job asks for, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sagedock.algorithms.randomcutforest.hyperparameters import METRICS
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError
from sagedock.formats.media_types import CSV

_FLOAT = _INTEGER = 4
_CELL_TEXT = 2
"""Bytes of a number in CSV, at least: a digit, and a comma or a line end."""


@dataclass(frozen=True)
class Plan:
    """The forest to make: so many trees, each of at most `samples_per_tree` rows of so many columns.

    `figures` are those that the test channel is judged by; `hosts` share the work of sampling.
    """

    columns: int
    trees: int
    samples_per_tree: int
    seed: int
    figures: Sequence[str]
    hosts: int = 1

    @classmethod
    def of(cls, values: Values, hosts: int) -> Plan:
        """What the hyperparameters ask for."""
        return cls(
            columns=values["feature_dim"],
            trees=values["num_trees"],
            samples_per_tree=values["num_samples_per_tree"],
            seed=values["_seed"],
            figures=[name for metric in values["eval_metrics"] for name in METRICS[metric]],
            hosts=hosts,
        )

    @property
    def capacity(self) -> int:
        """Rows of the sample, where there are so many."""
        return self.trees * self.samples_per_tree

    def sample_bytes(self, rows: int) -> int:
        """What a sample of `rows` takes; where several hosts' come together, they are there twice for a while."""
        return rows * self.columns * _FLOAT * (1 if self.hosts == 1 else 3)

    def forest_bytes(self, rows: int) -> int:
        """What building takes at most: the points once more, a leaf for each, and as many cuts with their boxes."""
        points = rows * self.columns * _FLOAT
        leaf = self.columns * _FLOAT + 2 * _INTEGER
        cut = 2 * self.columns * _FLOAT + _FLOAT + _INTEGER
        return points + rows * (leaf + cut)


def most_rows(channel: Channel, content_type: str, plan: Plan) -> int:
    """How many rows of `channel` the sample can hold: its capacity, or fewer where its files are too short for that."""
    if channel.input_mode != "File" or content_type != CSV or plan.hosts > 1:
        return plan.capacity
    size = sum(file.stat().st_size for file in channel.files())
    return min(plan.capacity, size // (plan.columns * _CELL_TEXT) + 1)


def require_memory(plan: Plan, rows: int, available: int) -> None:
    """Raise UserError when a forest of `rows` sampled rows does not fit into `available` bytes."""
    needed = plan.sample_bytes(rows) + plan.forest_bytes(rows)
    if needed > available:
        raise UserError(
            f"a forest of {plan.trees} trees with {plan.samples_per_tree} samples of {plan.columns} columns takes up "
            f"to {needed} bytes of memory, and {available} are available: lower num_trees or num_samples_per_tree, or "
            "choose an instance with more memory",
            field="num_samples_per_tree",
        )
