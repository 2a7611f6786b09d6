"""Documents run as containers of this machine: the place `docker` of sagedock run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sagedock.contracts import failure
from sagedock.contracts.documents import Document, Kind, RunOptions
from sagedock.contracts.exits import INTERRUPTED, STOPPED, meaning
from sagedock.contracts.paths import Paths
from sagedock.errors import UserError
from sagedock.job_log import JobLog
from sagedock.local import base as platform
from sagedock.local import container
from sagedock.local.container import Container, Ended, Mount, caller
from sagedock.local.ending import Ending
from sagedock.local.engine import DOCUMENT_LABEL, connected
from sagedock.local.interrupt import sigterm_like_ctrl_c
from sagedock.local.model import Hosted, hosted, on_this_machine
from sagedock.local.processes import HOSTING_GRACE, TRAINING_GRACE, base_directory, invitation
from sagedock.local.served import Served
from sagedock.local.server import free_port
from sagedock.local.transform import document as transform_document
from sagedock.local.transform.parameters import platform_variables
from sagedock.local.transform.run import Run
from sagedock.progress import Progress

SERVERLESS_USER = "65534:65534"
"""Serverless containers run as a user without a name (contract 3.9)."""


def run(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    """Run a document to its end and return the exit code; raises UserError when it cannot be run here."""
    if document.kind is Kind.TRAINING:
        return _train(document, options, environment)
    if document.kind is Kind.TRANSFORM:
        return _transform(document, options, environment)
    return _serve(document, options, environment)


def delete(document: Document, _options: RunOptions, environment: Mapping[str, str]) -> int:
    """Stop and remove the containers of a document that are still there."""
    with connected(environment) as client:
        found = client.containers.list(all=True, filters={"label": f"{DOCUMENT_LABEL}={label(document)}"})
        for running in found:
            running.stop(timeout=HOSTING_GRACE)
            running.remove(force=True, v=True)
            sys.stdout.write(f"removed the container {running.short_id} of {document.kind.noun} {document.name}\n")
    if not found:
        sys.stdout.write(f"there is no container of {document.kind.noun} {document.name}\n")
    return 0


def label(document: Document) -> str:
    """What marks the containers of a document: operation/name."""
    return f"{document.kind.value}/{document.name}"


def _train(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    base = base_directory(options)
    output = options.output or base / "artefacts"
    paths = platform.build(document.body, base, options.channels)
    failure.clear(paths)
    log = JobLog(Progress.by(environment), document.body.get("HyperParameters") or {})
    with connected(environment) as client:
        try:
            ended = container.run(client, _training_container(document, options, paths), log.write)
        finally:
            log.close()
    told = Ending(ended.code, ended.out_of_memory, log.last, _stopped(document, ended)).tell(
        document.name, paths, output
    )
    if told == 0:
        sys.stderr.write(f"serve   sagedock run MODEL.json --on docker --model {paths.model}\n")
    return INTERRUPTED if ended.interrupted else told


def _stopped(document: Document, ended: Ended) -> str | None:
    if ended.timed_out:
        return f"MaxRuntimeInSeconds, {_seconds(document)} s, has passed"
    return "by Ctrl-C or SIGTERM" if ended.interrupted else None


def _seconds(document: Document) -> float | None:
    return (document.body.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")


def _training_container(document: Document, options: RunOptions, paths: Paths) -> Container:
    specification = document.body.get("AlgorithmSpecification") or {}
    entrypoint, arguments = specification.get("ContainerEntrypoint"), specification.get("ContainerArguments")
    return Container(
        document=label(document),
        image=_image(options.image or specification.get("TrainingImage"), "AlgorithmSpecification.TrainingImage"),
        entrypoint=entrypoint,
        command=arguments or ([] if entrypoint else ["train"]),
        user=caller(paths.model),
        mounts=_training_mounts(document.body, options, paths),
        environment={**(document.body.get("Environment") or {}), "TRAINING_JOB_NAME": document.name},
        memory=options.memory,
        isolated=bool(document.body.get("EnableNetworkIsolation")),
        seconds=_seconds(document),
        grace_seconds=TRAINING_GRACE,
    )


def _training_mounts(body: Mapping[str, Any], options: RunOptions, paths: Paths) -> list[Mount]:
    """Configuration and channels to be read only; model, output and checkpoints to be written (contract 1.2)."""
    channels = platform.channel_directories(body, options.channels)
    mounts = [Mount(paths.config, "/opt/ml/input/config")]
    mounts += [Mount(source.resolve(), f"/opt/ml/input/data/{name}") for name, source in channels.items()]
    mounts += [Mount(paths.model, "/opt/ml/model", False), Mount(paths.output, "/opt/ml/output", False)]
    checkpoints = body.get("CheckpointConfig")
    if checkpoints:
        mounts.append(Mount(paths.checkpoints, checkpoints.get("LocalPath") or "/opt/ml/checkpoints", False))
    return mounts


def _transform(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    output = None if options.output is None else str(options.output)
    job = transform_document.read(document.body, source=options.source, output=output)
    work, model, port = Run(job, environment), hosted(document, options), free_port()
    with (
        sigterm_like_ctrl_c(),
        connected(environment) as client,
        on_this_machine(model.address, options.region) as directory,
    ):
        plain = _hosting_container(document, options, model, directory)
        variables = {**model.environment, **job.environment, **platform_variables(job)}
        try:
            with container.started(client, replace(plain, port=port, environment=variables)) as running:
                served = Served(running, port)
                served.wait_until_ready()
                work.on([port], served.gone)
        except KeyboardInterrupt:
            sys.stderr.write(f"stopped: transform job {document.name}, by Ctrl-C or SIGTERM\n")
            return INTERRUPTED
    return 0


def _serve(document: Document, options: RunOptions, environment: Mapping[str, str]) -> int:
    model = hosted(document, options)
    with connected(environment) as client, on_this_machine(model.address, options.region) as directory:
        sys.stderr.write(invitation(model.name, options.port))
        log = JobLog(Progress(shown=False), {})
        ended = container.run(client, _hosting_container(document, options, model, directory), log.write)
    if ended.interrupted and ended.code in {0, *STOPPED}:
        return 0
    sys.stderr.write(f"the server of {model.name} ended, {meaning(ended.code, out_of_memory=ended.out_of_memory)}\n")
    return ended.code


def _hosting_container(document: Document, options: RunOptions, model: Hosted, directory: Path) -> Container:
    serverless = model.serverless_memory is not None
    return Container(
        document=label(document),
        image=_image(options.image or model.image, "PrimaryContainer.Image"),
        command=["serve"],
        user=SERVERLESS_USER if serverless else caller(directory),
        mounts=[Mount(directory, "/opt/ml/model")],
        environment=model.environment,
        memory=options.memory or (f"{model.serverless_memory}m" if serverless else None),
        port=options.port,
        read_only=serverless,
        grace_seconds=HOSTING_GRACE,
    )


def _image(name: object, field: str) -> str:
    if not name:
        raise UserError(f"the document names no image ({field}): give --image NAME", field=field)
    return str(name)
