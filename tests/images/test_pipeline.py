"""An inference pipeline in real containers: one network namespace, each with its own port (contract 3.10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagedock.local.transform.client import Client
from sagedock.local.transform.pipeline import Pipeline
from tests.images.container import Engine, Served, published
from tests.local.test_pipeline import write_follower
from tests.platform import Job
from tests.serving.process import Server

pytestmark = pytest.mark.docker


def test_two_containers_in_a_row(cpu: Engine, trained: Job, held_back: bytes, tmp_path: Path) -> None:
    """Contract D06 to D08: two servers share a network, and the second is fed with the answers of the first."""
    follower = write_follower(tmp_path / "follower", 0.5)
    first = {"SAGEMAKER_BIND_TO_PORT": "9001", "SAGEMAKER_SAFE_PORT_RANGE": "20000-20010"}
    second = {"SAGEMAKER_BIND_TO_PORT": "9002", "SAGEMAKER_SAFE_PORT_RANGE": "20011-20020"}
    ports = {f"{port}/tcp": ("127.0.0.1", None) for port in (9001, 9002)}
    with cpu.serving(trained.base, port=9001, ports=ports, environment=first) as head:
        shared = f"container:{head.container.id}"
        with cpu.started("serve", follower, network_mode=shared, environment=second) as container:
            tail = Served(container, published(head.container, 9002))
            for served in (head, tail):
                served.wait(lambda served=served: served.ping() == 200)
            chain = Pipeline([Client(head.port), Client(tail.port)], "text/csv", "text/csv")
            reply = chain.invoke(lambda: held_back)
            assert reply.status == 200, reply.body
            assert reply.body == tail.invoke(head.invoke(held_back))
            assert reply.body.count(b"\n") == held_back.count(b"\n")
    with Server(follower) as server:
        assert server.wait_ready().invoke(_alone(trained, held_back)).body == reply.body


def _alone(trained: Job, content: bytes) -> bytes:
    """What the first model answers as a process of this machine."""
    with Server(trained.base) as server:
        return server.wait_ready().invoke(content).body
