"""Models and servers that tests share, and S3 as moto's server plays it."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.ports import free_port
from tests.serving.conftest import model_base, served
from tests.serving.models import write_model
from tests.serving.process import wait_until

__all__ = ["model_base", "served"]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model directory of the test's own, since one server at a time serves a directory."""
    return write_model(tmp_path / "ml") / "model"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a server that speaks S3."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: _answers(address), "moto's server does not answer")
            yield address
        finally:
            server.kill()


@pytest.fixture
def s3(s3_endpoint: str) -> Any:
    """A client with an empty bucket `data`."""
    urllib.request.urlopen(urllib.request.Request(f"{s3_endpoint}/moto-api/reset", method="POST")).close()  # noqa: S310
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
    )
    client.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return client


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/moto-api/data.json", timeout=5).close()  # noqa: S310
    except OSError:
        return False
    return True
