"""The command sagedock as a person runs it against SageMaker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cloud.services import ACCOUNT, REGION, Aws

CHURN = Path(__file__).parents[2] / "containers" / "churn"
BUCKET = f"sagedock-{ACCOUNT}-{REGION}"
"""The bucket of the documents, put into the account and region of the tests."""
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Sagedock:
    """Runs `sagedock COMMAND DOCUMENT --on sagemaker` in a process of its own."""

    aws: Aws

    def __call__(
        self, command: str, document: Path, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {**self.aws.environment, **variables}
        return subprocess.run(
            self._line(command, document, *arguments),
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    @contextmanager
    def started(self, command: str, document: Path, *arguments: str, log: Path) -> Iterator[subprocess.Popen[str]]:
        """The command while it runs, both streams in one file."""
        line = self._line(command, document, *arguments)
        with log.open("w") as file:
            process = subprocess.Popen(line, env=self.aws.environment, stdout=file, stderr=file, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _line(self, command: str, document: Path, *arguments: str) -> list[str]:
        place = ["--on", "sagemaker", "--poll", "0.05"]
        return [sys.executable, "-m", "sagedock", command, str(document), *place, *arguments]
