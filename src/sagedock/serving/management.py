"""The management routes of a multi-model endpoint: load, list, get and unload models (contract.md 5.3).

GET answers at once. POST /models takes as long as the model takes to be read, DELETE as long as its invocations run, so
each of the two wants threads of its own (`LOADS_AT_ONCE`, `UNLOADS_AT_ONCE`): then no number of slow loads keeps a
model from being listed, found, invoked or unloaded, and it is unloading that ends a lack of memory.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sagedock.errors import SagedockError, UserError
from sagedock.serving import errors
from sagedock.serving.repository import Description, Repository

LOADS_AT_ONCE = 8
UNLOADS_AT_ONCE = 8
LONGEST_BODY = 64 * 1024
ROUTES = "GET and POST /models, GET and DELETE /models/<name>, POST /models/<name>/invoke and GET /ping"

_log = logging.getLogger(__name__)


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
