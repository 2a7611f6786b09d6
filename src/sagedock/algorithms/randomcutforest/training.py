"""Training a random cut forest, read top to bottom: sample, trees, test channel."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from sagedock.algorithm import Cluster, Context, Trained
from sagedock.algorithms.randomcutforest import cut_off, report, sampling
from sagedock.algorithms.randomcutforest import forest as forests
from sagedock.algorithms.randomcutforest.checkpoints import Checkpoints
from sagedock.algorithms.randomcutforest.cuda import CudaForest
from sagedock.algorithms.randomcutforest.cut_off import Decision
from sagedock.algorithms.randomcutforest.detector import Detector, Scorer, column_weights
from sagedock.algorithms.randomcutforest.evaluation import Scores, evaluate, require_values, scored
from sagedock.algorithms.randomcutforest.following import Following
from sagedock.algorithms.randomcutforest.hyperparameters import DEFAULTS
from sagedock.algorithms.randomcutforest.journal import Journal
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel
from sagedock.algorithms.randomcutforest.plan import Plan, require_capacity, require_rows
from sagedock.algorithms.randomcutforest.report import Findings, Names
from sagedock.algorithms.randomcutforest.sampler import read_channel, sample
from sagedock.algorithms.randomcutforest.sampling import Floats, HostSample, Sample
from sagedock.algorithms.randomcutforest.shingles import lag_names, shingled_parts
from sagedock.algorithms.randomcutforest.stream import Stream
from sagedock.algorithms.randomcutforest.stream_model import StreamModel
from sagedock.contracts import machine
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.formats import names
from sagedock.formats.table import Part

log = logging.getLogger(__name__)


def train(hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained | None:
    """A forest of a sample of channels["train"], judged on channels["test"] where there is one; None but on rank 0.

    Raises UserError for data that no forest can be made of.
    """
    journal = Journal(context)
    journal.configuration(DEFAULTS, hyperparameters.given, dict(hyperparameters))
    plan = Plan.of(hyperparameters, len(context.cluster.hosts))
    require_capacity(plan)
    checkpoints = Checkpoints.of(context.checkpoints, channels["train"], hyperparameters, plan.hosts)
    sampled = sample(channels["train"], plan, context, journal, checkpoints)
    whole = gathered(sampled, plan, context.cluster, journal)
    if whole is None:
        return None
    require_rows(len(whole.rows), plan)
    detector = build(whole.rows, plan, context, journal)
    decision = _decision(detector, whole, plan, context, journal)
    following = Following(detector, partial(_stream, detector, whole, plan), sampled.last) if plan.streams else None
    findings = _test(detector, following, plan, channels, context, journal)
    facts = {"rows": whole.seen} if decision is None else {"rows": whole.seen, "decision": decision.described()}
    model = RandomCutForestModel(detector, facts=facts)
    learning = StreamModel(model, following.stream, following.last) if following is not None else model
    return Trained(learning, *report.made(detector.forest, whole.seen, findings, decision))


def _stream(detector: Detector, whole: Sample, plan: Plan) -> Stream:
    return Stream.of(detector.forest, whole.seen, plan.seed, plan.decay)


def gathered(sampled: HostSample, plan: Plan, cluster: Cluster, journal: Journal) -> Sample | None:
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
    return Sample(rows, seen)


def _received(mine: Floats, cluster: Cluster) -> list[Floats]:
    content = cluster.gather(np.ascontiguousarray(mine).data.cast("B") if mine.size else b"")
    return [np.frombuffer(part, np.float32).reshape(-1, mine.shape[1]) for part in content]


def build(rows: Floats, plan: Plan, context: Context, journal: Journal) -> Detector:
    """The forest of the sampled rows."""
    journal.say("Building Random Cut Forest...")
    begin = time.time()
    detector = made(rows, plan)
    context.something_to_save()
    journal.built(detector, begin, time.time())
    return detector


def made(rows: Floats, plan: Plan) -> Detector:
    """The forest of some rows, none of which is new to the log."""
    samples = plan.samples(rows)
    weights = column_weights(samples, plan.shingle_size) if plan.scales else None
    forest = forests.build(samples if weights is None else samples * weights, plan.seed, machine.cpu_count())
    return Detector(replace(forest, by_depth=plan.by_depth), plan.shingle_size, weights)


def _decision(detector: Detector, whole: Sample, plan: Plan, context: Context, journal: Journal) -> Decision | None:
    """The cut-off that the job asks for, if any; none either where it was stopped before the cut-off was chosen."""
    rate, rows = plan.false_alarm_rate, whole.rows
    if rate is None:
        return None
    folds = cut_off.shuffled_folds(len(rows), plan.seed)
    if plan.shingle_size > 1:
        numbers = sampling.numbers(whole.shards, plan.capacity, plan.seed)
        folds = cut_off.blocked_folds(numbers, plan.shingle_size)
    samples = detector.forest.samples_per_tree
    decision = context.unless_stopped(
        lambda: cut_off.choose(
            rate, rows, folds, lambda known: made(known, plan.of_fewer(len(known), samples)), machine.cpu_count()
        )
    )
    if decision is None:
        log.warning("stopped while the cut-off was chosen: the model is whole, and has none")
        return None
    journal.say(f"Cut-off {decision.cut_off:.6g} chosen for a false alarm rate of {rate:g} by {len(rows)} rows")
    return decision


def _test(
    detector: Detector,
    following: Following | None,
    plan: Plan,
    channels: Mapping[str, Channel],
    context: Context,
    journal: Journal,
) -> Findings | None:
    """How the forest does on the test channel, learning it if there is a `following`; None without such a channel, and
    where the job was stopped before its end.
    """
    if "test" not in channels:
        journal.say("Test data is not provided.")
        return None
    parts = shingled_parts(_whole_rows(channels["test"], plan), plan.shingle_size)
    score = following.scores if following is not None else partial(_scores, _scorer(detector, context))
    rows = context.unless_stopped(lambda: scored(score, parts, plan.shingle_size))
    if rows is None:
        log.warning("stopped while the test channel was scored: the model is whole, and there are no test figures")
        if following is not None:
            following.forget()
            log.warning("nothing of the test channel is learnt: the stream goes on from the train channel")
        return None
    evaluation = evaluate(rows.scores, rows.labels)
    figures = evaluation.figures()
    journal.tested({name: figures[name] for name in plan.figures})
    told = np.stack([peak.row for peak in rows.peaks])
    attributions = detector.attributions(told) if following is None else told
    named = _names(channels, plan, len(rows.scores))
    return Findings(rows, evaluation, named, attributions, learnt=following is not None)


def _scorer(detector: Detector, context: Context) -> Scorer:
    return detector.by(CudaForest(detector.forest)) if context.device == "gpu" else detector


def _scores(scorer: Scorer, part: Part) -> Scores:
    return scorer.scores(part.table.dense, machine.cpu_count()), None


def _whole_rows(channel: Channel, plan: Plan) -> Iterator[Part]:
    """The rows of the test channel, none of which lacks a value."""
    for part in read_channel(channel, plan.columns, labelled=True):
        require_values(part)
        yield part


def _names(channels: Mapping[str, Channel], plan: Plan, rows: int) -> Names:
    """What the report calls columns and rows. Raises UserError where the names are not as many."""
    named = [f"f{column}" for column in range(plan.columns)]
    if "feature-names" in channels:
        named = names.read(channels["feature-names"], plan.columns, "feature columns")
    times = None
    if "timestamps" in channels:
        times = names.read(channels["timestamps"], rows, "rows of the test channel", once=False)
    return Names(lag_names(named, plan.shingle_size), times)
