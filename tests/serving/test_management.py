"""The management routes as a Flask application over a real repository: bodies, codes, and what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from sagedock.contracts.hosting import HostingSettings
from sagedock.serving.management import LOADS_AT_ONCE, LONGEST_BODY, Management, create_app
from sagedock.serving.repository import SMALLEST_MODEL, Repository
from tests.serving.models import write_constant

PATIENCE_SECONDS = 300
SETTINGS = HostingSettings(multi_model=True, model_memory_bytes=2 * SMALLEST_MODEL)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_constant(tmp_path / "models" / "a" / "model", 1)
    return tmp_path / "models"


@pytest.fixture
def client(root: Path) -> Iterator[FlaskClient]:
    repository = Repository.of(SETTINGS, root, None, None)
    yield create_app(repository).test_client()
    repository.close()


def load(client: FlaskClient, body: object) -> tuple[int, dict[str, Any]]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = client.post("/models", data=text, headers={"X-Amzn-SageMaker-Target-Model": "a.tar.gz"})
    assert reply.content_type == "application/json"
    return reply.status_code, json.loads(reply.data)


def good(root: Path, name: str = "a") -> dict[str, Any]:
    return {"model_name": name, "url": str(root / "a" / "model")}


def test_the_life_of_a_model(client: FlaskClient, root: Path) -> None:
    """contract F02, F03, F07, F08, F09: snake case in, camel case out, further members ignored."""
    shown = {"modelName": "a", "modelUrl": good(root)["url"]}
    assert client.get("/models").json == {"models": []}
    assert load(client, {**good(root), "model_type": "x", "gpu": None}) == (200, shown)
    assert load(client, good(root))[0] == 409
    assert (client.get("/models/a").status_code, client.get("/models/a").json) == (200, shown)
    assert client.get("/models").json == {"models": [shown]}
    assert client.delete("/models/a").status_code == 200
    for reply in (client.get("/models/a"), client.delete("/models/a")):
        assert (reply.status_code, reply.json["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"model_name": ' + b"9" * 50_000 + b"}",
        b'{"model_name": "a"}',
        b'{"url": "/opt/ml/models/a/model"}',
        b'{"model_name": "a", "model_name": "b", "url": "/opt/ml/models/a/model"}',
        b'{"model_name": 7, "url": "/opt/ml/models/a/model"}',
        b'{"model_name": "a", "url": null}',
        b'{"model_name": "a", "url": ["/opt/ml/models/a/model"]}',
        b'{"model_name": "", "url": "/opt/ml/models/a/model"}',
        b'{"model_name": "\\ud800", "url": "/opt/ml/models/a/model"}',
        b'{"model_name": "a", "url": "/opt/ml/models/\\ud800/model"}',
        b'{"model_name": "a/../b", "url": "/opt/ml/models/a/model"}',
        b'{"model_name": "a", "url": "http://127.0.0.1/model"}',
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
def test_what_is_no_load_is_400(client: FlaskClient, body: bytes) -> None:
    """contract F05"""
    status, document = load(client, body)
    assert (status, document["error"]["code"]) == (400, "bad_request")
    assert "Traceback" not in document["error"]["message"]


def test_what_is_not_there_is_404_and_what_is_broken_400(client: FlaskClient, root: Path) -> None:
    """contract F04"""
    assert load(client, {"model_name": "b", "url": f"{root}/b/model"})[0] == 404
    (root / "b" / "model").mkdir(parents=True)
    (root / "b" / "model" / "xgboost-model").write_bytes(b"no model")
    status, document = load(client, {"model_name": "b", "url": f"{root}/b/model"})
    assert (status, document["error"]["field"]) == (400, "url")
    assert "xgboost-model" in document["error"]["message"]
    assert client.get("/models/b").status_code == 404


def test_no_room_is_507(client: FlaskClient, root: Path) -> None:
    """contract F06"""
    for name in ("a", "b"):
        assert load(client, good(root, name))[0] == 200
    status, document = load(client, good(root, "c"))
    assert (status, document["error"]["code"]) == (507, "insufficient_storage")
    assert client.delete("/models/a").status_code == 200
    assert load(client, good(root, "c"))[0] == 200


def test_a_body_of_no_sensible_size_is_413(client: FlaskClient) -> None:
    assert load(client, b" " * (LONGEST_BODY + 1))[0] == 413


@pytest.mark.parametrize("name", ["f" * 64, "ein Modell", "modèle", "a%2fb.tar.gz", "1+1=2?#"])
def test_names_are_percent_decoded(client: FlaskClient, root: Path, name: str) -> None:
    """contract F13"""
    assert load(client, good(root, name))[0] == 200
    path = f"/models/{quote(name, safe='')}"
    assert client.get(path).json["modelName"] == name
    assert client.delete(path).status_code == 200


@pytest.mark.parametrize("path", ["..%2f..%2fetc", "..", "%2e%2e", "a%2fmodel", "%00", "%ff", "/a", "a/b"])
def test_paths_that_name_no_model_are_404(client: FlaskClient, root: Path, path: str) -> None:
    """contract F20"""
    assert load(client, good(root))[0] == 200
    for method in ("GET", "DELETE"):
        reply = client.open(f"/models/{path}", method=method)
        assert reply.status_code == 404
        assert json.loads(reply.data)["error"]["code"] == "not_found"


def test_requests_as_the_server_passes_them_on(root: Path) -> None:
    """contract F20: the target is percent-coded as sent."""
    management = Management(Repository.of(SETTINGS, root, None, None))
    loaded = management.answer("POST", "/models", json.dumps(good(root, "a b")).encode(), "application/json")
    assert (loaded.status, loaded.content_type) == (200, "application/json")
    shown = {"modelName": "a b", "modelUrl": good(root)["url"]}
    assert json.loads(management.answer("GET", "/models/a%20b", b"").body) == shown
    assert json.loads(management.answer("GET", "/models?limit=1", b"").body) == {"models": [shown]}
    for target, status in (("/models?limit=x", 400), ("/models/..%2f..%2fetc", 404), ("/elsewhere", 404), ("/", 404)):
        answer = management.answer("GET", target, b"")
        assert (answer.status, set(json.loads(answer.body))) == (status, {"error"})
    refused = management.answer("PUT", "/models/a%20b/invoke", b"")
    assert (refused.status, refused.content_type) == (405, "application/json")
    assert refused.headers == (("Allow", "POST"),)
    assert management.answer("DELETE", "/models/a%20b", b"").status == 200


def test_no_kind_of_request_takes_the_threads_of_another(root: Path) -> None:
    """contract F12: however many loads are under way."""
    management = Management(Repository.of(SETTINGS, root, None, None))
    release, done = threading.Event(), [threading.Event() for _ in range(2)]
    for _ in range(4 * LOADS_AT_ONCE):
        management.submit("POST", lambda: release.wait(PATIENCE_SECONDS))
    management.submit("GET", done[0].set)
    management.submit("DELETE", done[1].set)
    assert all(event.wait(PATIENCE_SECONDS) for event in done)
    release.set()


def test_methods_that_are_not_there(client: FlaskClient) -> None:
    wrong = (
        ("PUT", "/models", {"GET", "POST"}),
        ("POST", "/models/a", {"GET", "DELETE"}),
        ("GET", "/models/a/invoke", {"POST"}),
    )
    for method, path, allowed in wrong:
        reply = client.open(path, method=method)
        assert reply.status_code == 405
        assert set(reply.headers["Allow"].split(", ")) >= allowed


def test_pages(client: FlaskClient) -> None:
    """contract F10"""
    assert client.get("/models?next_page_token=7").status_code == 400
    assert client.get("/models?limit=0").status_code == 400
    assert client.get("/models?limit=1").json == {"models": []}
