"""Training a random cut forest, read top to bottom: sample, trees, test channel."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import numpy as np

from sagedock.algorithm import Cluster, Context, Trained
from sagedock.algorithms.randomcutforest import forest as forests
from sagedock.algorithms.randomcutforest import report, sampling
from sagedock.algorithms.randomcutforest.checkpoints import Checkpoints
from sagedock.algorithms.randomcutforest.cuda import CudaForest
from sagedock.algorithms.randomcutforest.evaluation import evaluate, scored
from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.algorithms.randomcutforest.hyperparameters import DEFAULTS
from sagedock.algorithms.randomcutforest.journal import Journal
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel
from sagedock.algorithms.randomcutforest.plan import Plan
from sagedock.algorithms.randomcutforest.report import Findings, Names
from sagedock.algorithms.randomcutforest.sampler import read_channel, sample
from sagedock.algorithms.randomcutforest.sampling import Floats, HostSample
from sagedock.contracts import machine
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError
from sagedock.formats import names

log = logging.getLogger(__name__)


def train(hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained | None:
    """A forest of a sample of channels["train"], judged on channels["test"] where there is one; None but on rank 0.

    Raises UserError for data that no forest can be made of.
    """
    journal = Journal(context)
    journal.configuration(DEFAULTS, hyperparameters.given, dict(hyperparameters))
    plan = Plan.of(hyperparameters, len(context.cluster.hosts))
    checkpoints = Checkpoints.of(context.checkpoints, channels["train"], hyperparameters, plan.hosts)
    sampled = sample(channels["train"], plan, context, journal, checkpoints)
    whole = gathered(sampled, plan, context.cluster, journal)
    if whole is None:
        return None
    forest = build(whole.rows, plan, context, journal)
    findings = _test(forest, plan, channels, context, journal)
    model = RandomCutForestModel(forest, facts={"rows": whole.seen})
    return Trained(model, *report.made(forest, whole.seen, findings))


def gathered(sampled: HostSample, plan: Plan, cluster: Cluster, journal: Journal) -> HostSample | None:
    """On rank 0 the sample of all hosts' rows, each row as likely to be in it as any other; None on the others."""
    first = cluster.rank == 0
    if first:
        journal.say("Master node: building Random Cut Forest...")
        journal.say("Gathering samples...")
    counts = cluster.gather(str(sampled.seen).encode())
    seen = [int(count) for count in cluster.broadcast(b" ".join(counts)).split()]
    share = sampling.shares(seen, plan.capacity, plan.seed)[cluster.rank]
    mine = sampling.drawn(sampled, share, plan.seed, cluster.rank)
    parts = [mine] if plan.hosts == 1 else _received(mine, cluster)
    if not first:
        return None
    rows = sampling.merged(parts, sum(seen), plan.seed)
    journal.say(f"{len(rows)} samples gathered")
    return HostSample(rows, sum(seen))


def _received(mine: Floats, cluster: Cluster) -> list[Floats]:
    content = cluster.gather(np.ascontiguousarray(mine).data.cast("B") if mine.size else b"")
    return [np.frombuffer(part, np.float32).reshape(-1, mine.shape[1]) for part in content]


def build(rows: Floats, plan: Plan, context: Context, journal: Journal) -> Forest:
    """The forest of the sampled rows. Raises UserError where there are fewer rows than trees."""
    journal.say("Building Random Cut Forest...")
    begin = time.time()
    if len(rows) < plan.trees:
        raise UserError(
            f"the train channel holds {len(rows)} rows, and a forest of {plan.trees} trees (num_trees) needs at least "
            f"{plan.trees} rows, one for each tree: give more rows, or lower num_trees",
            field="num_trees",
        )
    forest = forests.build(sampling.for_trees(rows, plan.trees, plan.samples_per_tree), plan.seed, machine.cpu_count())
    context.something_to_save()
    journal.built(forest, begin, time.time())
    return forest


def _test(
    forest: Forest, plan: Plan, channels: Mapping[str, Channel], context: Context, journal: Journal
) -> Findings | None:
    """How the forest does on the test channel; None without one, and where the job was stopped before its end."""
    if "test" not in channels:
        journal.say("Test data is not provided.")
        return None
    parts = read_channel(channels["test"], plan.columns, labelled=True)
    scorer = CudaForest(forest) if context.device == "gpu" else forest
    rows = context.unless_stopped(lambda: scored(scorer, parts, machine.cpu_count()))
    if rows is None:
        log.warning("stopped while the test channel was scored: the model is whole, and there are no test figures")
        return None
    evaluation = evaluate(rows.scores, rows.labels)
    figures = evaluation.figures()
    journal.tested({name: figures[name] for name in plan.figures})
    attributions = forest.attributions(np.stack([peak.row for peak in rows.peaks]))
    return Findings(rows, evaluation, _names(channels, forest.columns, len(rows.scores)), attributions)


def _names(channels: Mapping[str, Channel], columns: int, rows: int) -> Names:
    """What the report calls columns and rows. Raises UserError where the names are not as many."""
    named = [f"f{column}" for column in range(columns)]
    if "feature-names" in channels:
        named = names.read(channels["feature-names"], columns, "feature columns")
    times = None
    if "timestamps" in channels:
        times = names.read(channels["timestamps"], rows, "rows of the test channel", once=False)
    return Names(named, times)
