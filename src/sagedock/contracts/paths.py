"""Where things lie under /opt/ml (SageMaker developer guide, "How Amazon SageMaker provides training information")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_BASE = Path("/opt/ml")


@dataclass(frozen=True)
class Paths:
    """The directory tree of one job or endpoint, below `base`; `hosted` is a model that lies elsewhere."""

    base: Path = DEFAULT_BASE
    hosted: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Paths:
        """SAGEMAKER_BASE_DIR moves the whole tree; without it the base is /opt/ml."""
        return cls(Path(environment.get("SAGEMAKER_BASE_DIR") or DEFAULT_BASE))

    @property
    def config(self) -> Path:
        """Holds hyperparameters.json, inputdataconfig.json, resourceconfig.json and files we ignore."""
        return self.base / "input" / "config"

    @property
    def data(self) -> Path:
        """Holds one directory (File, FastFile) or FIFO (Pipe) for each channel."""
        return self.base / "input" / "data"

    @property
    def model(self) -> Path:
        return self.hosted or self.base / "model"

    @property
    def models(self) -> Path:
        """Where SageMaker unpacks the models of a multi-model endpoint, each in a directory of its own."""
        return self.base / "models"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def output_data(self) -> Path:
        """Becomes output.tar.gz: the report, the metrics and other artefacts that are no model."""
        return self.output / "data"

    @property
    def failure(self) -> Path:
        """Its first 1,024 characters become the job's FailureReason."""
        return self.output / "failure"

    @property
    def checkpoints(self) -> Path:
        """The default of CheckpointConfig.LocalPath."""
        return self.base / "checkpoints"
