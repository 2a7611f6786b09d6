"""Two hosts, each a process: one model of the documents of both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from tests.algorithms.ntm.jobs import CSV, TRAIN, VALIDATION, job
from tests.platform import Job
from tests.training.hosts import Ended, Hosts, ended, free_port, names

SCORE = re.compile(r"#validation_score \((\d+)\): (\S+)")


def pair(base: Path, first: int, **given: str) -> list[Job]:
    """The jobs of two hosts, the first with so many of the documents."""
    port, found = free_port(), []
    for host, part in zip(names(2), (TRAIN.part(0, first), TRAIN.part(first, TRAIN.rows)), strict=True):
        made = job(base / host, train=part, validation=VALIDATION, **given)
        made.environment = {"SAGEDOCK_CLUSTER_PORT": str(port)}
        if not part.rows:
            made.add_channel("train", {}, ContentType=CSV)
        made.write_config("resourceconfig", {"current_host": host, "hosts": names(2)})
        found.append(made)
    return found


def run(jobs: list[Job]) -> list[Ended]:
    with ended([one.start() for one in jobs]) as processes:
        return Hosts(list(processes)).ended()


@pytest.mark.parametrize("network", ["nvdm", "prodlda"])
def test_two_hosts_learn_one_model(tmp_path: Path, network: str) -> None:
    """Of shards that are not equally long; both tell the same losses, and the first has the model."""
    jobs = pair(tmp_path, 170, _network=network)
    ends = run(jobs)
    assert [end.code for end in ends] == [0, 0], ends[0].stderr + ends[1].stderr
    assert SCORE.findall(ends[0].stdout) == SCORE.findall(ends[1].stdout) != []
    for end, host, documents in zip(ends, names(2), (170, 130), strict=True):
        assert f"on {documents} examples" in end.stdout
        assert len(re.findall(rf"host={host}, epoch=4, validation total_loss <loss>=\S+", end.stdout)) == 1
    assert (jobs[0].model / "ntm.safetensors").exists()
    assert not list(jobs[1].model.iterdir())


def test_a_host_without_documents_does_not_hold_the_other_up(tmp_path: Path) -> None:
    """Contract B18; the model is that of the one host alone."""
    ends = run(pair(tmp_path, TRAIN.rows))
    assert [end.code for end in ends] == [0, 0], ends[0].stderr + ends[1].stderr
    alone = job(tmp_path / "alone", validation=VALIDATION).process()
    ours, theirs = ([float(value) for _, value in SCORE.findall(text)] for text in (ends[0].stdout, alone.stdout))
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("distribution", ["FullyReplicated", "ShardedByS3Key"])
def test_documents_may_be_sharded_or_whole_on_each_host(tmp_path: Path, distribution: str) -> None:
    """ntm_lda A2."""
    jobs = pair(tmp_path, 150, epochs="1")
    for made in jobs:
        made.declare("train", ContentType=CSV, S3DistributionType=distribution)
    ends = run(jobs)
    assert [end.code for end in ends] == [0, 0], ends[0].stderr + ends[1].stderr
    assert "S3DistributionType" not in ends[0].stderr
