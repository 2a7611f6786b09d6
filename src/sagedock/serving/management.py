"""The management routes of a multi-model endpoint: load, list, get and unload models (contract.md 5.3).

Flask knows the routes, and nothing else of the server goes through it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from sagedock.errors import SagedockError, UserError
from sagedock.serving import errors
from sagedock.serving.answer import Answer
from sagedock.serving.repository import Description, Repository

LOADS_AT_ONCE = 8
UNLOADS_AT_ONCE = 8
QUICK_THREADS = 2
LONGEST_BODY = 64 * 1024
ROUTES = "GET and POST /models, GET and DELETE /models/<name>, POST /models/<name>/invoke and GET /ping"

_log = logging.getLogger(__name__)


class Management:
    """Answers management requests, in threads that no kind of request can use up for another kind.

    POST takes as long as the model takes to be read, DELETE as long as its invocations run, everything else no time: so
    no number of slow loads keeps a model from being listed, found or unloaded, and unloading is what ends a lack of
    memory.
    """

    def __init__(self, repository: Repository) -> None:
        self._app = create_app(repository)
        self._threads = {
            "POST": ThreadPoolExecutor(LOADS_AT_ONCE, thread_name_prefix="model-loading"),
            "DELETE": ThreadPoolExecutor(UNLOADS_AT_ONCE, thread_name_prefix="model-unloading"),
        }
        self._quick = ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="management")

    def submit(self, method: str, work: Callable[[], object]) -> None:
        """Have `work`, which answers a request of this method, done by a thread."""
        self._threads.get(method, self._quick).submit(work)

    def answer(self, method: str, target: str, body: bytes, content_type: str | None = None) -> Answer:
        """Answer one request to `target`, percent-coded as sent; what nobody foresaw is raised."""
        path, _, query = target.partition("?")
        environment = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": content_type or "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
        }
        response = Response.from_app(self._app, environment)
        allowed = tuple((name, value) for name, value in response.headers if name == "Allow")
        return Answer(response.status_code, response.get_data(), response.content_type, headers=allowed)


def create_app(repository: Repository) -> Flask:
    """The application that answers for `repository`.

    What nobody foresaw is raised to the caller, who is the outer edge.
    """
    app = Flask("sagedock", static_folder=None, template_folder=None)
    app.config.update(PROPAGATE_EXCEPTIONS=True, MAX_CONTENT_LENGTH=LONGEST_BODY)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False

    @app.get("/models", provide_automatic_options=False)
    def list_models() -> Response:
        models, token = repository.list(request.args.get("next_page_token"), request.args.get("limit"))
        page: dict[str, Any] = {"models": [_shown(model) for model in models]}
        return _json(page if token is None else {**page, "nextPageToken": token})

    @app.post("/models", provide_automatic_options=False)
    def load_model() -> Response:
        members = _members(request.get_data())
        name, url = (_text(members, key) for key in ("model_name", "url"))
        repository.load(name, url)
        return _json(_shown(Description(name, url)))

    @app.get("/models/<name>", provide_automatic_options=False)
    def get_model(name: str) -> Response:
        return _json(_shown(repository.get(name)))

    @app.delete("/models/<name>", provide_automatic_options=False)
    def unload_model(name: str) -> Response:
        repository.unload(name)
        return _json({})

    @app.route("/models/<name>/invoke", methods=["GET", "PUT", "PATCH", "DELETE"], provide_automatic_options=False)
    def only_post(name: str) -> Response:
        raise MethodNotAllowed(["POST"], f"{name} is invoked by POST")

    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(SagedockError, _explain)
    return app


def _shown(model: Description) -> dict[str, str]:
    return {"modelName": model.name, "modelUrl": model.url}


def _json(content: Mapping[str, Any], status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(content).encode() + b"\n", status, content_type=errors.JSON)


def _members(body: bytes) -> Mapping[str, Any]:
    """The JSON object that a body holds, each member named once."""
    try:
        content = json.loads(body, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the body is no JSON: {error}; send {_EXAMPLE}") from error
    if not isinstance(content, dict):
        raise UserError(f"the body is no JSON object; send {_EXAMPLE}")
    return content


_EXAMPLE = '{"model_name": "NAME", "url": "/opt/ml/models/NAME/model"}'


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members


def _text(members: Mapping[str, Any], key: str) -> str:
    value = members.get(key)
    if not isinstance(value, str):
        problem = f"is a JSON {type(value).__name__}, not a string" if key in members else "is missing"
        raise UserError(f"the member {key!r} {problem}; send {_EXAMPLE}", field=key)
    return value


def _refuse(error: HTTPException) -> Response:
    """404, 405 and their like: Flask's own answers would be HTML."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    message = f"{request.method} {request.path[:200]}: {error.name}; this server has {ROUTES}"
    response = Response(errors.body(status, message), status, content_type=errors.JSON)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _explain(error: SagedockError) -> Response:
    status = errors.status_of(error)
    fields = {
        "event": "management_refused",
        "status": int(status),
        "error": type(error).__name__,
        "request": f"{request.method} {request.path[:200]}",
        "message": str(error)[: errors.LONGEST_MESSAGE],
    }
    _log.warning("%s", json.dumps(fields))
    return Response(errors.body_of(error), status, content_type=errors.JSON)
