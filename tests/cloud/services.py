"""What cloud code talks to in tests: AWS's interfaces from moto's server, and Debian's registry."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer

from tests.ports import free_port

ACCOUNT = DEFAULT_ACCOUNT_ID
REGION = "eu-west-1"
PASSWORD = f"{ACCOUNT}-auth-token"
"""What moto's GetAuthorizationToken grants to the user AWS."""
HTPASSWD = "AWS:$2b$04$gYUu3u6zeWohvDykUkwn2u/Ig4I3XapQ9TnBzJIvNgpqBI3YwvpXi\n"
"""That user and password as docker-registry reads them (bcrypt)."""
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Aws:
    """Moto's server, fresh: its address, clients of it, and its state, which stands for what happens inside AWS."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process whose AWS this is."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **kept,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - moto takes any
        )

    def state(self, service: str) -> Any:
        """Moto's own objects of a service, in this process."""
        return get_backend(service)[ACCOUNT][REGION]


@contextmanager
def aws_server() -> Iterator[Aws]:
    """A moto server of this process on a free port, with no state in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    aws = Aws(f"http://{host}:{port}")
    _post(host, port, "/moto-api/reset")
    try:
        yield aws
    finally:
        server.stop()


def _post(host: str, port: int, path: str) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
    connection.request("POST", path)
    assert connection.getresponse().status == 200
    connection.close()


TRAINING_LOG = "/aws/sagemaker/TrainingJobs"


def write_log(aws: Aws, lines: list[str], group: str = TRAINING_LOG, stream: str = "sagedock-churn/algo-1-1") -> None:
    """What containers wrote, in CloudWatch."""
    client = aws.client("logs")
    if not client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(time.time() * 1000)
    client.put_log_events(
        logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now, "message": line} for line in lines]
    )


@dataclass(frozen=True)
class DebianRegistry:
    """A running docker-registry that takes the user and password of moto's ECR."""

    address: str

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One answer to the user AWS; underscores in header names stand for hyphens."""
        host, _, port = self.address.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_SECONDS)
        authorization = "Basic " + base64.b64encode(f"AWS:{PASSWORD}".encode()).decode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Authorization": authorization, **given})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.headers), content

    def tags(self, repository: str) -> list[str]:
        status, _, body = self.request("GET", f"/v2/{repository}/tags/list")
        return list(json.loads(body)["tags"]) if status == 200 else []


@contextmanager
def debian_registry(directory: Path) -> Iterator[DebianRegistry]:
    """Debian's docker-registry with its data below `directory`."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("Debian's docker-registry is not installed")
    address = f"127.0.0.1:{free_port()}"
    (directory / "htpasswd").write_text(HTPASSWD)
    (directory / "config.json").write_text(json.dumps(_configuration(directory, address)))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(directory / "config.json")], stdout=log, stderr=log)
    try:
        registry = DebianRegistry(address)
        _wait(registry, process)
        yield registry
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def _configuration(directory: Path, address: str) -> dict[str, Any]:
    return {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
        "http": {"addr": address},
        "auth": {"htpasswd": {"realm": "test", "path": str(directory / "htpasswd")}},
    }


def _wait(registry: DebianRegistry, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if registry.request("GET", "/v2/")[0] == 200:
                return
        except OSError:
            pass
        assert process.poll() is None, "docker-registry ended"
        assert time.monotonic() < deadline, "docker-registry does not answer"
        time.sleep(0.05)
