"""What the contract asks of a job of several hosts, of every algorithm that trains on them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sagedock.algorithm import Algorithm
from tests.platform import PATIENCE_SECONDS, Job
from tests.training.hosts import ended, free_port, names


@pytest.fixture
def pair(make_job: Callable[..., Job], algorithm: Algorithm) -> tuple[Job, Job]:
    """The sample's job on two hosts, with the same files on both."""
    if algorithm.hosts == "one":
        pytest.skip("it trains on one host")
    port, hosts = free_port(), names(2)
    first, second = (make_job(host) for host in hosts)
    for job, host in ((first, hosts[0]), (second, hosts[1])):
        job.environment = {**job.environment, "SAGEDOCK_CLUSTER_PORT": str(port)}
        job.write_config("resourceconfig", {"current_host": host, "hosts": hosts})
    return first, second


def codes(pair: tuple[Job, Job]) -> list[int]:
    """The exit codes of both, which end by themselves."""
    started: list[subprocess.Popen[str]] = [job.start() for job in pair]
    with ended(started) as processes:
        for process in processes:
            process.communicate(timeout=PATIENCE_SECONDS)
        return [process.returncode for process in processes]


def test_two_hosts_end_alike_and_the_first_has_the_model(pair: tuple[Job, Job]) -> None:
    """C09, C01, C02: one model, of rank 0; a mode that is for one host says so on both."""
    first, second = pair
    found = codes(pair)
    assert found in ([0, 0], [1, 1])
    assert [bool(job.failure) for job in pair] == [code == 1 for code in found]
    assert (first.model / "manifest.json").exists() == (found == [0, 0])
    assert not second.model.exists() or not list(second.model.iterdir())
    outputs = [_files(job.output_data) for job in pair]
    assert not outputs[0] & outputs[1]


def test_an_empty_shard_ends_both_hosts(pair: tuple[Job, Job]) -> None:
    """B18: a host without one object of the channel: success or a clear error, the same on both, and no hang."""
    pair[1].add_channel("train", {}, **pair[0].channels["train"])
    found = codes(pair)
    assert found in ([0, 0], [1, 1])
    assert [bool(job.failure) for job in pair] == [code == 1 for code in found]
    assert (pair[0].model / "manifest.json").exists() == (found == [0, 0])


def _files(directory: Path) -> set[Path]:
    return {file.relative_to(directory) for file in directory.rglob("*") if file.is_file()}
