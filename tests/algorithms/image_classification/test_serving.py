"""Pictures over HTTP, in a real server that gets them good and bad."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("PIL", reason="Pillow is not installed")

from sagedock.algorithms.image_classification.description import SYMBOL
from tests.algorithms.image_classification import served
from tests.algorithms.image_classification.test_model import SHAPE, encoded
from tests.serving.process import Server

NAME = {"SAGEDOCK_ALGORITHM": "image-classification"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("base")
    model = place / "model"
    model.mkdir()
    network = served.network(20, SHAPE)
    described = served.description(network)
    served.exported(network, described, model)
    (model / SYMBOL).write_text(described.text())
    return place


@pytest.fixture(scope="module")
def server(base: Path) -> Iterator[Server]:
    variables = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MODEL_SERVER_WORKERS": "1", "SAGEDOCK_INFERENCE_THREADS": "4"}
    with Server(base, NAME | variables) as server:
        yield server.wait_ready()


def test_batch_transform_gets_the_object_unless_it_asks(server: Server) -> None:
    """image 41"""
    for accept in (None, "*/*", "application/jsonlines"):
        reply = server.invoke(encoded(), "image/png", accept)
        assert (reply.status, reply.headers["content-type"]) == (200, "application/jsonlines")
        assert list(json.loads(reply.body)) == ["prediction"]
    reply = server.invoke(encoded(), "image/png", "application/json")
    assert (reply.headers["content-type"], len(json.loads(reply.body))) == ("application/json", 3)


def test_bad_pictures_are_4xx_and_the_server_lives(server: Server) -> None:
    """image 42"""
    bomb = bytearray(encoded())
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    worker = server.workers
    for body in (b"", b"\x00\x01random bytes", bytes(bomb), encoded("JPEG", (400, 300))[:900], encoded()[:150]):
        reply = server.invoke(body, "image/png")
        assert reply.status == 400, body[:20]
        assert "the request's body" in reply.error["message"]
    assert server.invoke(b"1,2", "text/csv").status == 415
    assert server.invoke(encoded(), "image/jpeg").status == 200
    assert server.workers == worker


def test_clients_at_once_get_their_own_answers(server: Server) -> None:
    bodies = [encoded("JPEG", seed=seed) for seed in range(12)]
    alone = [json.loads(server.invoke(body, "image/jpeg").body)["prediction"] for body in bodies]
    with ThreadPoolExecutor(6) as clients:
        replies = list(clients.map(lambda body: server.invoke(body, "image/jpeg"), bodies))
    for reply, expected in zip(replies, alone, strict=True):
        assert json.loads(reply.body)["prediction"] == pytest.approx(expected, abs=1e-6)
