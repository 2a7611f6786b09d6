"""Several hosts, each a process: one network, on the first."""

from __future__ import annotations

import re
from pathlib import Path

from sagedock.algorithms.deepar.parameters import Parameters
from tests.algorithms.deepar.jobs import job, sines
from tests.platform import Job
from tests.training.hosts import Ended, Hosts, ended, free_port, names

FINAL = re.compile(r"train final_loss <loss>=(\S+)")


def pair(base: Path, shards: list[list[dict[str, object]]], **given: str) -> list[Job]:
    """The jobs of two hosts, each on series of its own."""
    port, found = str(free_port()), []
    for host, shard in zip(names(2), shards, strict=True):
        made = job(base / host, train=shard, environment={"SAGEDOCK_CLUSTER_PORT": port}, **given)
        made.write_config("resourceconfig", {"current_host": host, "hosts": names(2)})
        found.append(made)
    return found


def run(jobs: list[Job]) -> list[Ended]:
    with ended([one.start() for one in jobs]) as processes:
        return Hosts(list(processes)).ended()


def test_two_hosts_train_one_network(tmp_path: Path) -> None:
    """deepar 30: the first has the model, both tell of one loss, and the shards' categories are counted together."""
    shards = [sines(6, 96), sines(6, 96, seed=1)]
    for record in shards[1]:
        record["cat"] = [4]
    jobs = pair(tmp_path, shards)
    ends = run(jobs)
    assert [end.code for end in ends] == [0, 0], ends[0].stderr + ends[1].stderr
    losses = [FINAL.findall(end.stdout) for end in ends]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 1
    assert Parameters.load(jobs[0].model).architecture.cardinality == (5,)
    assert not jobs[1].model.exists() or not list(jobs[1].model.iterdir())


def test_hosts_whose_series_have_different_fields_are_refused(tmp_path: Path) -> None:
    ends = run(pair(tmp_path, [sines(6, 96), sines(6, 96, categories=False)]))
    assert all(end.code != 0 for end in ends)
    assert any("series with different fields" in end.stderr for end in ends)
