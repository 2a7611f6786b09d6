"""Documents run as processes of this machine: the place `process` of sagedock run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sagedock.contracts import failure
from sagedock.contracts.documents import Document, Kind, RunOptions
from sagedock.contracts.exits import INTERRUPTED, STOPPED
from sagedock.errors import UserError
from sagedock.local import base as platform
from sagedock.local import process
from sagedock.local.ending import Ending
from sagedock.local.interrupt import sigterm_like_ctrl_c
from sagedock.local.model import hosted, on_this_machine

TRAINING_GRACE, HOSTING_GRACE = 120, 30
"""Seconds between SIGTERM and SIGKILL (contract 1.8 and 3.1)."""
LOST = ("SAGEDOCK_ALGORITHM", "SAGEMAKER_BASE_DIR", "SAGEMAKER_PROGRAM")
"""Variables of this shell that a job must not inherit, since its document speaks for itself."""


def run(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    """Run a document to its end and return the exit code; raises UserError when it cannot be run here."""
    if document.kind is Kind.TRAINING:
        return _train(document, options, environment)
    if document.kind is Kind.TRANSFORM:
        return _transform(document, options, environment)
    return _serve(document, options, environment)


def delete(document: Document, _options: RunOptions, _environment: Mapping[str, str]) -> int:
    """Say that nothing is left: processes end with the command that started them."""
    sys.stdout.write(f"nothing to delete of {document.name}: processes end with sagedock run; --base keeps the files\n")
    return 0


def base_directory(options: RunOptions) -> Path:
    """The directory that stands for /opt/ml; raises UserError when none was given."""
    if options.base is None:
        raise UserError("say where the directory that stands for /opt/ml is to be: --base DIRECTORY", field="--base")
    return options.base.resolve()


def _train(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    base = base_directory(options)
    paths = platform.build(document.body, base, options.channels)
    failure.clear(paths)
    job = {**_strings(document.body.get("Environment")), "TRAINING_JOB_NAME": document.name}
    variables = {**_inherited(environment), **job, "SAGEMAKER_BASE_DIR": str(base)}
    code, interrupted = process.run([sys.executable, "-m", "sagedock", "train"], variables, TRAINING_GRACE)
    stopped = "by Ctrl-C or SIGTERM" if interrupted else None
    told = Ending(code, stopped=stopped).tell(document.name, paths, options.output or base / "artefacts")
    if told == 0:
        sys.stderr.write(f"serve   sagedock serve --base {base}\n")
    return INTERRUPTED if interrupted else told


def _transform(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    from sagedock.local.transform.job import transform

    model = hosted(document, options)
    variables = {**_inherited(environment), **model.environment}
    output = None if options.output is None else str(options.output)
    with sigterm_like_ctrl_c(), on_this_machine(model.address, options.region) as directory:
        try:
            return transform(document.file, [directory], variables, source=options.source, output=output)
        except KeyboardInterrupt:
            sys.stderr.write(f"stopped: transform job {document.name}, by Ctrl-C or SIGTERM\n")
            return INTERRUPTED


def _serve(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    model = hosted(document, options)
    with on_this_machine(model.address, options.region) as directory, tempfile.TemporaryDirectory() as base:
        (Path(base) / "model").symlink_to(directory)
        places = {"SAGEMAKER_BASE_DIR": base, "SAGEMAKER_BIND_TO_PORT": str(options.port)}
        sys.stderr.write(invitation(model.name, options.port))
        variables = {**_inherited(environment), **model.environment, **places}
        code, interrupted = process.run([sys.executable, "-m", "sagedock", "serve"], variables, HOSTING_GRACE)
    return 0 if interrupted and (code == 0 or code % 128 in {number % 128 for number in STOPPED}) else abs(code)


def invitation(name: str, port: int) -> str:
    """How to ask the model that is about to be served."""
    return (
        f"serving {name}; Ctrl-C ends it. Ask it from a second terminal:\n"
        f"  curl -s -H 'Content-Type: text/csv' --data-binary @FILE http://localhost:{port}/invocations\n"
    )


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in LOST}


def _strings(given: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}
