"""Several hosts of one job as processes of this machine: their names are loopback addresses, 127.0.0.1 and so on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.platform import PATIENCE_SECONDS, Job
from tests.ports import free_port


def names(size: int) -> list[str]:
    return [f"127.0.0.{number}" for number in range(1, size + 1)]


@dataclass
class Ended:
    """What one host has said, and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def told(self) -> Any:
        """What its program returned."""
        assert self.code == 0, self.stderr
        return json.loads(self.stdout.splitlines()[-1])


class Hosts:
    """The processes of one job's hosts, in order of rank."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self.processes = processes

    def ended(self) -> list[Ended]:
        """All of them at their end."""
        told = [process.communicate(timeout=PATIENCE_SECONDS) for process in self.processes]
        codes = [process.returncode for process in self.processes]
        return [Ended(code, *streams) for code, streams in zip(codes, told, strict=True)]


def member(program: str, base: Path, host: str, hosts: list[str], port: int, **given: Any) -> subprocess.Popen[str]:
    """Start one host; `given` may hold `hyperparameters` and environment variables."""
    job = Job(base, given.pop("hyperparameters", {}), {"SAGEDOCK_CLUSTER_PORT": str(port), **given})
    job.write_config("resourceconfig", {"current_host": host, "hosts": hosts})
    command = [sys.executable, "-m", "tests.training.member", program, str(base)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=job.variables, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@contextmanager
def running(program: str, size: int, base: Path, **environment: str) -> Iterator[Hosts]:
    """The hosts of a job of `size` while the block runs; what is left of them afterwards is killed."""
    port, hosts = free_port(), names(size)
    with ended([member(program, base / host, host, hosts, port, **environment) for host in hosts]) as processes:
        yield Hosts(processes)


@contextmanager
def ended(processes: list[subprocess.Popen[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """The processes, none of which outlives the block."""
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ended_hosts(program: str, size: int, base: Path, **environment: str) -> list[Ended]:
    """Run a program on `size` hosts to its end."""
    with running(program, size, base, **environment) as hosts:
        return hosts.ended()
