"""Inference pipelines of real servers: each has its port and is fed with what the one before answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import xgboost

from sagedock.local.transform.client import Client
from sagedock.local.transform.pipeline import ANY, Pipeline
from tests.local.foreign import echo, foreign
from tests.serving.models import csv, records, write_model
from tests.serving.process import Server


def write_follower(base: Path, threshold: float) -> Path:
    """A model of one feature, the answer of another model, in `base`/model; returns `base`."""
    directory = base / "model"
    directory.mkdir(parents=True)
    features = np.linspace(0, 1, 64, dtype=np.float32).reshape(-1, 1)
    labels = (features[:, 0] > threshold).astype(np.float32)
    matrix = xgboost.DMatrix(features, labels, nthread=1)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1, "seed": 1}, matrix, 5)
    (directory / "xgboost-model").write_bytes(bytes(booster.save_raw("ubj")))
    return base


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Three containers of one machine, each with its port and its safe range, as SageMaker starts them."""
    root = tmp_path_factory.mktemp("pipeline")
    bases = [write_model(root / "1"), write_follower(root / "2", 0.4), write_follower(root / "3", 0.6)]
    with ExitStack() as stack:
        started = []
        for number, base in enumerate(bases):
            first = 20000 + 100 * number
            settings = {
                "SAGEMAKER_SAFE_PORT_RANGE": f"{first}-{first + 99}",
                "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
            }
            started.append(stack.enter_context(Server(base, settings)))
        yield [server.wait_ready() for server in started]


@pytest.mark.parametrize("count", [2, 3])
def test_each_is_fed_with_body_and_content_type_of_the_one_before(servers: list[Server], count: int) -> None:
    """Contract 3.10, D06, D08: as the platform does it, step by step, with Accept */* between containers."""
    content, content_type = csv(records(50)), "text/csv"
    for server in servers[:count]:
        reply = server.invoke(content, content_type, ANY)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/csv"), reply.body
        assert reply.body.count(b"\n") == 50
        content, content_type = reply.body, reply.headers["content-type"]
    chained = Pipeline([Client(server.port) for server in servers[:count]], "text/csv", "text/csv")
    assert chained.invoke(lambda: csv(records(50))).body == content


def test_the_last_one_answers_as_the_caller_asked(servers: list[Server]) -> None:
    """The caller's Accept is for the last container; those before answer by their default."""
    clients = [Client(server.port) for server in servers]
    reply = Pipeline(clients, "text/csv", "application/jsonlines").invoke(lambda: csv(records(3)))
    assert (reply.status, reply.content_type, reply.body.count(b'{"score":')) == (200, "application/jsonlines", 3)


def test_a_failure_is_that_of_the_container_it_happened_in(servers: list[Server]) -> None:
    """Contract 3.10: the containers behind it are not asked."""
    first, second, _ = (Client(server.port) for server in servers)
    with foreign(echo) as behind:
        reply = Pipeline([second, first, Client(behind.port)], "text/csv", None).invoke(lambda: b"0.5\n")
        assert (reply.status, reply.code) == (400, "bad_request")
        assert "5" in reply.message
        assert behind.asked == []


def test_any_container_may_come_first(servers: list[Server]) -> None:
    """Ports are no property of the model: the second server answers alone as it does in the chain."""
    answer = servers[1].invoke(b"0.25\n0.75\n").body
    assert Pipeline([Client(servers[1].port)], "text/csv", None).invoke(lambda: b"0.25\n0.75\n").body == answer
