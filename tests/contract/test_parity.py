"""The same record gets the same bytes online, in batch, behind a multi-model endpoint and in a pipeline (issue 3)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sagedock.algorithm import Algorithm
from sagedock.local.transform.client import Client
from sagedock.local.transform.pipeline import Pipeline
from tests.contract.samples import ROWS, Sample
from tests.contract.test_hosting import answer_type, line_types
from tests.local.foreign import echo, foreign
from tests.local.jobs import body, transform
from tests.platform import Job
from tests.serving.process import Server

MODEL = "0f" * 32
"""SageMaker names the models of an endpoint by a hash (contract 5.2)."""


@pytest.fixture(scope="module")
def online(trained: Job) -> Iterator[Server]:
    """An endpoint of one model."""
    with Server(trained.base) as server:
        yield server.wait_ready()


@pytest.fixture(scope="module")
def many(trained: Job, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A multi-model endpoint that has loaded the model."""
    base = tmp_path_factory.mktemp("many")
    directory = base / "models" / MODEL / "model"
    shutil.copytree(trained.model, directory)
    with Server(base, {"SAGEMAKER_MULTI_MODEL": "true"}) as server:
        server.wait_ready()
        load = json.dumps({"model_name": MODEL, "url": str(directory)})
        reply = server.request("POST", "/models", load, {"Content-Type": "application/json"})
        assert reply.status == 200, reply.body
        yield server


def answers(online: Server, algorithm: Algorithm, sample: Sample) -> dict[tuple[str, str], bytes]:
    """What the endpoint answers to each request type, as each response type."""
    found = {}
    for content_type, content in sample.requests.items():
        for accept in algorithm.response_types:
            reply = online.invoke(content, content_type, accept)
            assert (reply.status, reply.headers["content-type"]) == (200, answer_type(algorithm, content_type, accept))
            found[content_type, accept] = reply.body
    return found


def test_behind_a_multi_model_endpoint(many: Server, online: Server, algorithm: Algorithm, sample: Sample) -> None:
    for (content_type, accept), expected in answers(online, algorithm, sample).items():
        headers = {"Content-Type": content_type, "Accept": accept, "X-Amzn-SageMaker-Target-Model": "any.tar.gz"}
        reply = many.request("POST", f"/models/{MODEL}/invoke", sample.requests[content_type], headers)
        assert (reply.status, reply.body) == (200, expected), (content_type, accept)


def test_in_a_pipeline(online: Server, algorithm: Algorithm, sample: Sample) -> None:
    """Contract 3.10: behind a container that passes records on, and before one that passes answers on."""
    with foreign(echo) as other:
        for (content_type, accept), expected in answers(online, algorithm, sample).items():
            behind = Pipeline([Client(other.port), Client(online.port)], content_type, accept)
            content = sample.requests[content_type]
            assert behind.invoke(lambda content=content: content).body == expected, (content_type, accept)
        content_type, content = next(iter(sample.requests.items()))
        before = Pipeline([Client(online.port), Client(other.port)], content_type, accept)
        reply = before.invoke(lambda: content)
        assert reply.body == online.invoke(content, content_type, "*/*").body
        assert reply.content_type == algorithm.default_response_type


@pytest.mark.parametrize("strategy", ["SingleRecord", "MultiRecord"])
def test_in_batch_by_line(
    trained: Job, online: Server, algorithm: Algorithm, sample: Sample, tmp_path: Path, strategy: str
) -> None:
    """Contract E06, E13: a record alone and among others; what mini-batches answer is one answer when put together."""
    if sample.line_type is None:
        pytest.skip("the algorithm reads no lines")
    (tmp_path / "in").write_bytes(sample.requests[sample.line_type])
    model = shutil.copytree(trained.model, tmp_path / "model")
    for accept in line_types(algorithm, sample.line_type):
        given = {"ContentType": sample.line_type, "Accept": accept, "BatchStrategy": strategy}
        for assemble in ("None", "Line"):
            document = body(tmp_path / "in", tmp_path / "out", AssembleWith=assemble, **given)
            ran = transform(tmp_path, document, model)
            assert ran.returncode == 0, ran.stderr
            content = (tmp_path / "out" / "in.out").read_bytes()
            assert content == online.invoke(sample.requests[sample.line_type], sample.line_type, accept).body
            assert content.count(b"\n") == ROWS


def test_in_batch_by_object(trained: Job, online: Server, algorithm: Algorithm, sample: Sample, tmp_path: Path) -> None:
    """Every request type, an object a request."""
    model = shutil.copytree(trained.model, tmp_path / "model")
    (tmp_path / "in").mkdir()
    for (content_type, accept), expected in answers(online, algorithm, sample).items():
        if accept != algorithm.response_types[-1]:
            continue
        (tmp_path / "in" / "object").write_bytes(sample.requests[content_type])
        given = {"ContentType": content_type, "Accept": accept, "SplitType": "None", "AssembleWith": "None"}
        ran = transform(tmp_path, body(tmp_path / "in", tmp_path / "out", **given), model)
        assert ran.returncode == 0, ran.stderr
        assert (tmp_path / "out" / "object.out").read_bytes() == expected, (content_type, accept)
