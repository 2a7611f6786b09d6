"""The Flask application: three routes, and JSON for whatever goes wrong."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sagedock.contracts.hosting import HostingSettings
from sagedock.errors import SagedockError
from sagedock.serving import errors
from sagedock.serving.answer import Answer
from sagedock.serving.body import read_body
from sagedock.serving.endpoint import Endpoint

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
LONGEST_ECHO = 1024

_log = logging.getLogger(__name__)


def create_app(endpoint: Endpoint, settings: HostingSettings) -> Flask:
    """The application that answers for `endpoint` under `settings`."""
    app = Flask("sagedock", static_folder=None, template_folder=None)
    app.url_map.strict_slashes = False
    parameters = json.dumps(settings.execution_parameters()).encode() + b"\n"

    @app.route("/ping", methods=["GET", "HEAD", "POST"], provide_automatic_options=False)
    def ping() -> Response:
        return _response(Answer(HTTPStatus.OK if endpoint.ready else HTTPStatus.SERVICE_UNAVAILABLE))

    @app.get("/execution-parameters", provide_automatic_options=False)
    def execution_parameters() -> Response:
        return _response(Answer(HTTPStatus.OK, parameters, errors.JSON))

    @app.post("/invocations", provide_automatic_options=False)
    def invocations() -> Response:
        body = read_body(request.environ, settings.max_payload_bytes)
        return _response(endpoint.invoke(body, request.headers.get("Content-Type"), request.headers.get("Accept")))

    app.after_request(_echo_custom_attributes)
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(Exception, _explain)
    return app


def _response(answer: Answer) -> Response:
    response = Response(answer.body, status=answer.status)
    del response.headers["Content-Type"]
    if answer.content_type is not None:
        response.headers["Content-Type"] = answer.content_type
    return response


def _echo_custom_attributes(response: Response) -> Response:
    attributes = request.headers.get(CUSTOM_ATTRIBUTES)
    if attributes is not None and len(attributes) <= LONGEST_ECHO:
        response.headers[CUSTOM_ATTRIBUTES] = attributes
    return response


def _refuse(error: HTTPException) -> Response:
    """404, 405 and their like: Flask's own answers would be HTML."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    message = f"{request.method} {request.path[:200]}: {error.name}; this server has POST /invocations, GET /ping and "
    response = Response(errors.body(status, message + "GET /execution-parameters"), status, content_type=errors.JSON)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _explain(error: Exception) -> Response:
    """The outer edge: every error of a request ends here, as one JSON answer and one line of the log."""
    status = errors.status_of(error)
    fields = {
        "event": "request_failed",
        "status": int(status),
        "error": type(error).__name__,
        "message": str(error)[: errors.LONGEST_MESSAGE],
        "content_type": request.headers.get("Content-Type"),
        "accept": request.headers.get("Accept"),
        "content_length": request.content_length,
        "inference_id": request.headers.get(INFERENCE_ID),
    }
    unforeseen = not isinstance(error, SagedockError)
    level = logging.ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
    _log.log(level, "%s", json.dumps(fields), exc_info=error if unforeseen else None)
    return Response(errors.body_of(error), status, content_type=errors.JSON)
