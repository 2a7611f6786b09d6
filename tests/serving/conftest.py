"""Servers that tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.models import write_model
from tests.serving.process import PatientServer, Server


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with one worker and default settings, for tests that change nothing."""
    with PatientServer(write_model(tmp_path_factory.mktemp("served"))) as server:
        yield server.wait_ready()


@pytest.fixture
def model_base(tmp_path: Path) -> Path:
    """A base directory with a small model, for tests with a server of their own."""
    return write_model(tmp_path / "ml")
