"""SageMaker's side of a training job: a directory tree like /opt/ml, and the container's process started on it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagedock.training.run import run

PATIENCE_SECONDS = 300
QUIET = {"OMP_NUM_THREADS": "1", "SAGEDOCK_PROGRESS": "never", "PYTHONUNBUFFERED": "1"}


@dataclass
class Job:
    """One training job below `base`; the directories that a job may lack are not made unless asked for."""

    base: Path
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    channels: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        self.write_config("hyperparameters", self.hyperparameters)
        self.write_config("inputdataconfig", self.channels)

    @property
    def config(self) -> Path:
        return self.base / "input" / "config"

    @property
    def data(self) -> Path:
        return self.base / "input" / "data"

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        return self.base / "output" / "data"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    @property
    def variables(self) -> dict[str, str]:
        """What the process finds in its environment: no AWS variable at all."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAGEM"))}
        return {**inherited, **QUIET, "SAGEMAKER_BASE_DIR": str(self.base), **self.environment}

    def write_config(self, name: str, content: object) -> None:
        """Write input/config/<name>.json; text is written as it is."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.config / f"{name}.json").write_text(text)

    def add_channel(self, name: str, files: Mapping[str, bytes | str], **facts: str) -> Job:
        """Declare a File channel holding just `files`; `facts` are the keys of its entry, such as ContentType."""
        shutil.rmtree(self.data / name, ignore_errors=True)
        for file, content in files.items():
            path = self.data / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        (self.data / name).mkdir(exist_ok=True)
        return self.declare(name, **facts)

    def declare(self, name: str, **facts: str) -> Job:
        """Declare a channel in inputdataconfig.json without making anything."""
        self.channels[name] = {"TrainingInputMode": "File", **facts}
        self.write_config("inputdataconfig", self.channels)
        return self

    def run(self) -> int:
        """Run the job in this process and return the exit code."""
        return run(self.variables)

    def start(self) -> subprocess.Popen[str]:
        """Start the job as a process of its own, both streams captured as text."""
        return subprocess.Popen(
            [sys.executable, "-m", "sagedock", "train"],
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self) -> subprocess.CompletedProcess[str]:
        """Run the job as a process of its own and wait for its end."""
        with self.start() as process:
            stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def terminated(self, once: str) -> subprocess.CompletedProcess[str]:
        """Run the job so, send SIGTERM when a line of stdout has `once` in it, and wait for the end."""
        with self.start() as process:
            assert process.stdout is not None
            seen = "".join(itertools.takewhile(lambda line: once not in line, process.stdout))
            process.send_signal(signal.SIGTERM)
            rest, log = process.communicate(timeout=PATIENCE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, seen + rest, log)

    @property
    def failure(self) -> str:
        """The failure file's text; empty when there is none."""
        file = self.base / "output" / "failure"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def manifest(self) -> dict[str, Any]:
        return json.loads((self.model / "manifest.json").read_text())

    def metrics(self) -> dict[str, Any]:
        return json.loads((self.output_data / "metrics.json").read_text())

    def again(self, base: Path) -> Job:
        """A copy of this job's input below another base."""
        shutil.copytree(self.base / "input", base / "input")
        return Job(base, self.hyperparameters, self.environment, dict(self.channels))


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for `condition`; fails when it does not come about in time or the process ends before it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert process is None or process.poll() is None, f"the process ended early: {process.communicate()}"
        time.sleep(0.02)
