"""The training flow on two hosts, each a process with its own /opt/ml; the model directory is one, as in local mode."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platform import PATIENCE_SECONDS, Job
from tests.training.hosts import Ended, ended, free_port, names

FILES = {"127.0.0.1": {"a": "1\n2\n", "b": "3\n"}, "127.0.0.2": {"c": "4\n"}}


def job(base: Path, host: str, files: dict[str, str], port: int) -> Job:
    made = Job(base / host, {"sagedock_algorithm": "average"}, {"SAGEDOCK_CLUSTER_PORT": str(port)})
    made.write_config("resourceconfig", {"current_host": host, "hosts": list(reversed(names(2)))})
    (base / "model").mkdir(exist_ok=True)
    made.model.symlink_to(base / "model")
    return made.add_channel("train", files, ContentType="text/csv", S3DistributionType="ShardedByS3Key")


def train(base: Path, files: dict[str, dict[str, str]]) -> list[tuple[Job, Ended]]:
    """Both jobs at their end, in order of rank."""
    port = free_port()
    jobs = [job(base, host, files[host], port) for host in names(2)]
    command, pipe = [sys.executable, "-m", "tests.training.train"], subprocess.PIPE
    started = [subprocess.Popen(command, env=one.variables, stdout=pipe, stderr=pipe, text=True) for one in jobs]
    with ended(started) as processes:
        told = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
        ends = [Ended(process.returncode, *streams) for process, streams in zip(processes, told, strict=True)]
    return list(zip(jobs, ends, strict=True))


def files_of(one: Job) -> list[Path]:
    return [file for file in one.output_data.rglob("*") if file.is_file()]


def test_two_hosts_train_one_model(tmp_path: Path) -> None:
    """Contract C09, H01: rank 0 writes the model of all the data; no two files of output/data share a name."""
    (first, first_end), (second, second_end) = train(tmp_path, FILES)
    assert (first_end.code, second_end.code) == (0, 0), second_end.stderr
    assert (first.failure, second.failure) == ("", "")
    assert sorted(file.name for file in first.model.iterdir()) == ["average.json", "manifest.json"]
    assert json.loads((first.model / "average.json").read_text()) == 2.5
    outputs = [{str(file.relative_to(one.output_data)) for file in files_of(one)} for one in (first, second)]
    assert outputs == [{"seen.json", "metrics.json", "report.html"}, {"127.0.0.2/seen.json"}]
    assert "model written" in first_end.stderr
    assert "model written" not in second_end.stderr
    assert "leaves the model to host 127.0.0.1" in second_end.stderr


@pytest.mark.parametrize("empty", [0, 1])
def test_an_empty_shard_ends_both_hosts_with_the_reason(empty: int, tmp_path: Path) -> None:
    """Contract B18: fewer objects than hosts leave one without any."""
    host = names(2)[empty]
    jobs = train(tmp_path, {**FILES, host: {}})
    assert [end.code for _, end in jobs] == [1, 1]
    reason = f"UserError: channel 'train' holds no records on host {host}"
    assert jobs[empty][0].failure == reason + "\n"
    assert jobs[1 - empty][0].failure.startswith(f"HostLost: host {host} failed: {reason}; ")
    assert not list((tmp_path / "model").iterdir())


def test_a_host_that_is_none_of_the_hosts_is_refused(tmp_path: Path) -> None:
    """Contract B28: two hosts of rank 0 would both write the model."""
    stray = job(tmp_path, "127.0.0.1", {"a": "1\n"}, free_port())
    stray.write_config("resourceconfig", {"current_host": "algo-3", "hosts": names(2)})
    assert stray.run() == 1
    assert "current_host 'algo-3' is not one of the hosts 127.0.0.1, 127.0.0.2" in stray.failure
    stray.write_config("resourceconfig", {"current_host": "algo-3", "hosts": "algo-3"})
    assert stray.run() == 1
    assert "hosts must be a list of names, got 'algo-3'" in stray.failure
