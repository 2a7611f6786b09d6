"""What a job asks for, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sagedock.algorithms.randomcutforest import cut_off, sampling
from sagedock.algorithms.randomcutforest.forest import LANES
from sagedock.algorithms.randomcutforest.hyperparameters import DEPTH, METRICS, OVERLAPPING
from sagedock.algorithms.randomcutforest.trees import Floats
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError
from sagedock.formats.media_types import CSV

_FLOAT = _INTEGER = 4
_CELL_TEXT = 2
"""Bytes of a number in CSV, at least: a digit, and a comma or a line end."""


@dataclass(frozen=True)
class Plan:
    """The forest to make: so many trees, each of at most `samples_per_tree` rows; a row is `shingle_size` points of so
    many columns.

    `figures` are those that the test channel is judged by; `hosts` share the work of sampling. `overlaps`, `scales` and
    `by_depth` are the hyperparameters _sampling, _scale_columns and _score, `streams` and `decay` are _streaming and
    _time_decay.
    """

    columns: int
    trees: int
    samples_per_tree: int
    seed: int
    figures: Sequence[str]
    hosts: int = 1
    shingle_size: int = 1
    overlaps: bool = False
    scales: bool = False
    by_depth: bool = False
    false_alarm_rate: float | None = None
    streams: bool = False
    decay: float | None = None

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
            shingle_size=values["_shingle_size"],
            overlaps=values["_sampling"] == OVERLAPPING,
            scales=values["_scale_columns"],
            by_depth=values["_score"] == DEPTH,
            false_alarm_rate=values.get("_false_alarm_rate"),
            streams=values["_streaming"],
            decay=values.get("_time_decay"),
        )

    @property
    def width(self) -> int:
        """Columns of a row."""
        return self.columns * self.shingle_size

    @property
    def capacity(self) -> int:
        """Rows of the sample, where there are so many."""
        return self.trees * self.samples_per_tree

    def samples(self, rows: Floats) -> Floats:
        """(trees, samples of a tree, columns): what each tree gets of the sample."""
        if self.overlaps:
            return sampling.overlapping(rows, self.trees, self.samples_per_tree, self.seed)
        return sampling.for_trees(rows, self.trees, self.samples_per_tree)

    def of_fewer(self, rows: int, samples: int) -> Plan:
        """For a forest of so few rows, with `samples` of them in a tree as in another forest, as far as they go."""
        trees = self.trees if self.overlaps else max(1, min(self.trees, rows // samples))
        return replace(self, trees=trees, samples_per_tree=samples)

    def rows_in_forest(self, rows: int) -> int:
        """Rows of all trees together, made of so many sampled ones."""
        return self.trees * min(rows, self.samples_per_tree) if self.overlaps else rows

    def sample_bytes(self, rows: int) -> int:
        """What a sample of `rows` takes; where several hosts' come together, they are there twice for a while."""
        return rows * self.width * _FLOAT * (1 if self.hosts == 1 else 3)

    def forest_bytes(self, rows: int) -> int:
        """What building takes at most: the points once more, a leaf for each, and as many cuts with their boxes."""
        points = self.width * _FLOAT
        leaf = self.width * _FLOAT + 2 * _INTEGER
        cut = 2 * self.width * _FLOAT + _FLOAT + _INTEGER
        return self.rows_in_forest(rows) * (points + leaf + cut)

    def stream_bytes(self, rows: int) -> int:
        """What a stream takes, and once more while it is saved: a point and a box for each, and what links them."""
        lanes = -(-self.width // LANES) * LANES
        return 2 * self.rows_in_forest(rows) * (3 * lanes * _FLOAT + 9 * _INTEGER) if self.streams else 0


def most_rows(channel: Channel, content_type: str, plan: Plan) -> int:
    """How many rows of `channel` the sample can hold: its capacity, or fewer where its files are too short for that."""
    if channel.input_mode != "File" or content_type != CSV or plan.hosts > 1:
        return plan.capacity
    size = sum(file.stat().st_size for file in channel.files())
    return min(plan.capacity, size // (plan.columns * _CELL_TEXT) + 1)


def require_capacity(plan: Plan) -> None:
    """Raise UserError where no channel can have enough rows, since the sample does not hold so many."""
    if plan.false_alarm_rate is not None:
        cut_off.require_rows(plan.false_alarm_rate, plan.capacity, at_most=True)


def require_rows(rows: int, plan: Plan) -> None:
    """Raise UserError where there are fewer rows than the trees, or the false alarm rate, need."""
    what = "rows" if plan.shingle_size == 1 else f"shingles of {plan.shingle_size} points"
    needed = 1 if plan.overlaps else plan.trees
    if rows < needed:
        raise UserError(
            f"the train channel holds {rows} {what}, and a forest of {plan.trees} trees (num_trees) needs at least "
            f"{needed}{'' if plan.overlaps else ' rows, one for each tree'}: give more rows, or lower num_trees",
            field="num_trees",
        )
    if plan.false_alarm_rate is not None:
        cut_off.require_rows(plan.false_alarm_rate, rows)


def require_memory(plan: Plan, rows: int, available: int) -> None:
    """Raise UserError when a forest of `rows` sampled rows does not fit into `available` bytes."""
    needed = plan.sample_bytes(rows) + plan.forest_bytes(rows) + plan.stream_bytes(rows)
    if needed > available:
        raise UserError(
            f"a forest of {plan.trees} trees with {plan.samples_per_tree} samples of {plan.width} columns takes up "
            f"to {needed} bytes of memory, and {available} are available: lower num_trees or num_samples_per_tree, or "
            "choose an instance with more memory",
            field="num_samples_per_tree",
        )
