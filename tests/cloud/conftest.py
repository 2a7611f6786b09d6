"""Fixtures for tests of the cloud: AWS's interfaces from moto's server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.services import Aws, aws_server


@pytest.fixture
def aws() -> Iterator[Aws]:
    with aws_server() as server:
        yield server
