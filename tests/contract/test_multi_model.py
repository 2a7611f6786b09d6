"""Multi-model endpoints, for every algorithm: section F of contract.md's conformance checklist."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sagedock import algorithms
from sagedock.algorithm import Algorithm
from sagedock.contracts.capacity import artefact_bytes
from sagedock.contracts.hosting import MEBIBYTE
from tests.contract.samples import SAMPLES, Sample
from tests.platform import Job
from tests.serving.multi_model import MultiModelServer, hashed
from tests.serving.process import Server

NAME = hashed("the model")
TARGET = {"X-Amzn-SageMaker-Target-Model": "customers/eu/churn.tar.gz"}


def train(algorithm: Algorithm, sample: Sample, base: Path) -> Path:
    """The directory of a model trained by the training flow."""
    job = Job(base, dict(sample.hyperparameters), {"SAGEDOCK_ALGORITHM": algorithm.name})
    for name, files in sample.channels.items():
        job.add_channel(name, files, ContentType=sample.content_type)
    assert job.run() == 0, job.failure
    return job.model


@pytest.fixture(scope="module")
def trained(algorithm: Algorithm, sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(algorithm, sample, tmp_path_factory.mktemp(algorithm.name))


def unpack(trained: Path, base: Path, name: str = NAME) -> str:
    """What the platform does before a load: the model's directory, and its url."""
    directory = base / "models" / name / "model"
    shutil.copytree(trained, directory)
    return str(directory)


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MultiModelServer]:
    """A server with NAME loaded, for tests that leave it so."""
    base = tmp_path_factory.mktemp("endpoint")
    unpack(trained, base)
    with MultiModelServer(base) as server:
        server.wait_ready()
        assert server.load(NAME).status == 200
        yield server


def request_of(sample: Sample) -> tuple[bytes, str]:
    content_type, body = next(iter(sample.requests.items()))
    return body, content_type


def test_a_new_server_is_ready_and_empty(trained: Path, sample: Sample, tmp_path: Path) -> None:
    """F01, F02: no directory at all; the platform unpacks the first model while the server runs."""
    with MultiModelServer(tmp_path) as server:
        server.wait_ready()
        reply = server.ping()
        assert (reply.status, reply.body) == (200, b"")
        assert server.models() == {"models": []}
        url = unpack(trained, tmp_path)
        loaded = server.load(NAME)
        assert (loaded.status, loaded.headers["content-type"]) == (200, "application/json")
        assert server.ask(NAME, *request_of(sample)).status == 200
        assert server.models() == {"models": [{"modelName": NAME, "modelUrl": url}]}


def test_loaded_twice(server: MultiModelServer) -> None:
    """F03"""
    reply = server.load(NAME)
    assert (reply.status, reply.error["code"]) == (409, "conflict")


def test_a_model_that_cannot_be_used(server: MultiModelServer, trained: Path) -> None:
    """F04"""
    assert server.load("absent").status == 404
    broken = Path(unpack(trained, server.base, "broken"))
    for file in broken.iterdir():
        file.write_bytes(file.read_bytes()[:-20])
    reply = server.load("broken")
    assert reply.status == 400
    assert str(broken) in reply.error["message"]
    for name in ("absent", "broken"):
        assert server.get(name).status == 404
    assert server.load("outside", trained).status == 400
    assert server.names() == [NAME]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"model_name": "a"}', '{"url": "/opt/ml/models/a/model"}'])
def test_what_is_no_load(server: MultiModelServer, body: str) -> None:
    """F05"""
    reply = server.request("POST", "/models", body, {"Content-Type": "application/json"})
    assert (reply.status, reply.error["code"]) == (400, "bad_request")


def test_memory_ends_and_unloading_makes_room(trained: Path, sample: Sample, tmp_path: Path) -> None:
    """F06"""
    url = unpack(trained, tmp_path)
    mebibytes = str(1 + 3 * artefact_bytes(trained) // MEBIBYTE)
    with MultiModelServer(tmp_path, {"SAGEDOCK_MODEL_MEMORY_IN_MB": mebibytes}) as server:
        server.wait_ready()
        count = next(number for number in range(200) if server.load(f"m{number}", url).status != 200)
        assert count > 0
        refused = server.load("one-more", url)
        assert (refused.status, refused.error["code"]) == (507, "insufficient_storage")
        assert server.get("one-more").status == 404
        assert server.unload("m0").status == 200
        assert server.load("one-more", url).status == 200
        assert server.ask("one-more", *request_of(sample)).status == 200


def test_what_get_tells(server: MultiModelServer) -> None:
    """F07"""
    assert server.get(NAME).body == b'{"modelName": "%b", "modelUrl": "%b"}\n' % (
        NAME.encode(),
        server.url(NAME).encode(),
    )


def test_a_model_that_is_not_loaded(server: MultiModelServer, sample: Sample) -> None:
    """F08"""
    for reply in (server.get("unknown"), server.unload("unknown"), server.ask("unknown", *request_of(sample))):
        assert (reply.status, reply.error["code"]) == (404, "not_found")


def test_unload(server: MultiModelServer, sample: Sample) -> None:
    """F09; the memory is measured in serving/test_multi_model."""
    assert server.load("passing", server.url(NAME)).status == 200
    assert server.unload("passing").status == 200
    assert server.get("passing").status == 404
    assert server.ask("passing", *request_of(sample)).status == 404
    assert server.names() == [NAME]


def test_pages(server: MultiModelServer) -> None:
    """F10"""
    names = [f"page-{number}" for number in range(102)]
    for name in names:
        assert server.load(name, server.url(NAME)).status == 200
    first = server.models()
    assert len(first["models"]) == 100
    assert isinstance(first["nextPageToken"], str)
    assert server.names() == sorted([NAME, *names])
    assert server.request("GET", "/models?next_page_token=100").status == 400
    for name in names:
        assert server.unload(name).status == 200


def test_parallel_loads(server: MultiModelServer) -> None:
    """F11"""
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: server.load("raced", server.url(NAME)).status, range(8)))
    assert sorted(replies) == [200, *[409] * 7]
    assert server.unload("raced").status == 200


def test_target_model_changes_nothing(server: MultiModelServer, sample: Sample) -> None:
    """F13, F14: a name that has nothing to do with TargetModel."""
    assert server.load("target", server.url(NAME), **TARGET).status == 200
    body, content_type = request_of(sample)
    with_header = server.ask("target", body, content_type, **TARGET)
    assert (with_header.status, with_header.body) == (200, server.ask(NAME, body, content_type).body)
    assert server.unload("target", **TARGET).status == 200
    for name in ("f" * 64, "Kündigung 2.tar.gz", "a+b=c?&#%2f"):
        assert server.load(name, server.url(NAME)).status == 200
        assert server.ask(name, body, content_type).status == 200
        assert server.get(name).status == 200
        assert server.unload(name).status == 200


def test_models_of_every_algorithm_side_by_side(server: MultiModelServer, tmp_path_factory: pytest.TempPathFactory):
    """F15"""
    for name in algorithms.names():
        unpack(train(algorithms.find(name), SAMPLES[name], tmp_path_factory.mktemp(name)), server.base, f"by-{name}")
        assert server.load(f"by-{name}").status == 200
    for name in algorithms.names():
        for content_type, body in SAMPLES[name].requests.items():
            assert server.ask(f"by-{name}", body, content_type).status == 200
        assert server.unload(f"by-{name}").status == 200


def test_the_models_are_only_read(server: MultiModelServer, sample: Sample, trained: Path) -> None:
    """F16; with a mount that is read-only in images/test_multi_model."""
    directory = Path(unpack(trained, server.base, "read-only"))
    before = {path: path.stat() for path in (directory, *directory.rglob("*"))}
    assert server.load("read-only").status == 200
    assert server.ask("read-only", *request_of(sample)).status == 200
    assert server.unload("read-only").status == 200
    after = {path: path.stat() for path in (directory, *directory.rglob("*"))}
    assert {path: (stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in before.items()} == {
        path: (stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in after.items()
    }


def test_a_single_model_server_has_no_models(server: MultiModelServer, sample: Sample, trained: Path) -> None:
    """F17; issue 3: the same record gets the same bytes from both kinds of endpoint, whatever its type."""
    for spelled in ({}, {"SAGEMAKER_MULTI_MODEL": "false"}):
        with Server(trained.parent, spelled) as single:
            single.wait_ready()
            assert single.request("GET", "/models").status == 404
            assert single.request("POST", f"/models/{NAME}/invoke", b"1").status == 404
            for content_type, body in sample.requests.items():
                alone, among_many = single.invoke(body, content_type), server.ask(NAME, body, content_type)
                assert (alone.status, among_many.status) == (200, 200)
                assert alone.body == among_many.body
                assert alone.headers["content-type"] == among_many.headers["content-type"]


def test_everything_is_on_one_port(server: MultiModelServer, sample: Sample) -> None:
    """F18: SAGEMAKER_BIND_TO_PORT is given; and without a target nothing is invoked (contract 5.3)."""
    assert server.variables["SAGEMAKER_BIND_TO_PORT"] == str(server.port)
    assert server.ping().status == 200
    assert server.invoke(*request_of(sample)).status == 404


@pytest.mark.parametrize("name", ["..%2f..%2fetc", "..", "%2e%2e", "%00", "%ff", f"{NAME}%2f..", ""])
def test_names_that_lead_elsewhere(server: MultiModelServer, sample: Sample, name: str) -> None:
    """F20"""
    body, content_type = request_of(sample)
    replies = [
        server.request("GET", f"/models/{name}" if name else "/models//"),
        server.request("DELETE", f"/models/{name}" if name else "/models//x"),
        server.request("POST", f"/models/{name}/invoke", body, {"Content-Type": content_type}),
    ]
    assert {reply.status for reply in replies[1:]} <= {400, 404, 405}
    assert replies[0].status in {400, 404} or replies[0].body == server.request("GET", "/models").body
    refused = server.load("../../etc")
    assert refused.status == 400
    assert server.names() == [NAME]


def test_requests_that_cannot_be_answered(server: MultiModelServer, algorithm: Algorithm, sample: Sample) -> None:
    """contract 5.3: invoke answers as /invocations does."""
    for content_type, body in sample.malformed.items():
        assert server.ask(NAME, body, content_type).status == 400
    body, content_type = request_of(sample)
    assert server.ask(NAME, body, "application/x-unknown").status == 415
    assert server.ask(NAME, body, content_type, "image/png").status == (200 if algorithm.answers_in_kind else 406)
    assert server.ask(NAME, b"", content_type).status == (400 if algorithm.refuses_empty_bodies else 204)
    echoed = server.ask(NAME, body, content_type, **{"X-Amzn-SageMaker-Custom-Attributes": "trace=1"})
    assert echoed.headers["x-amzn-sagemaker-custom-attributes"] == "trace=1"
    for method, path in (("PUT", "/models"), ("POST", f"/models/{NAME}"), ("GET", f"/models/{NAME}/invoke")):
        reply = server.request(method, path)
        assert reply.status == 405
        assert reply.headers["allow"]
