"""The training flow: from the files below /opt/ml/input to a model, its manifest and its report."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Mapping

from sagedock import algorithms
from sagedock.algorithm import Algorithm, Cluster, Trained, hidden
from sagedock.contracts import failure, machine, manifest
from sagedock.contracts.channels import Channel
from sagedock.contracts.files import make_directory, write_text
from sagedock.contracts.hyperparameters import Values
from sagedock.contracts.paths import Paths
from sagedock.contracts.training import ALGORITHM_HYPERPARAMETER, ALGORITHM_VARIABLE, TrainingJob, checked_channels
from sagedock.errors import AlgorithmError, SagedockError, Stopped, UnsupportedMediaType, UserError
from sagedock.formats.media_types import parse_media_type
from sagedock.progress import Progress
from sagedock.reports import page
from sagedock.training import cluster, script_mode
from sagedock.training.cluster import Meeting
from sagedock.training.context import JobContext
from sagedock.training.stopping import StopRequest, listening

log = logging.getLogger(__name__)

STOPPED_WITHOUT_MODEL = 128 + signal.SIGTERM


def run(environment: Mapping[str, str]) -> int:
    """Run the training job of this container and return its exit code.

    0 means that a whole model stands in the model directory. Anything else leaves the cause and the remedy in
    output/failure, first line first.
    """
    paths = Paths.from_environment(environment)
    try:
        with listening() as stop:
            failure.clear(paths)
            _run(paths, environment, stop)
    except Stopped as error:
        return _failed(paths, error, STOPPED_WITHOUT_MODEL)
    except SagedockError as error:
        return _failed(paths, error, 1)
    except Exception as error:  # the outer edge: whatever happens, the platform is told why
        log.exception("unexpected error")
        return _failed(paths, error, 1)
    return 0


def _run(paths: Paths, environment: Mapping[str, str], stop: StopRequest) -> None:
    job = TrainingJob.read(paths, environment)
    program = script_mode.program(job, environment)
    if program is not None:
        script_mode.hand_over(program, job, paths, environment)
    algorithm = _algorithm(job, environment)
    _refuse_several_hosts(job, algorithm)
    algorithm.require(algorithm.needs, "trains")
    values = algorithm.hyperparameters.parse(job.hyperparameters)
    facts = {"algorithm": algorithm.name, "hyperparameters": job.hyperparameters}
    with cluster.joined(job, facts, Meeting.by(environment, values), lambda: stop.requested) as hosts:
        _train(job, algorithm, values, paths, environment, stop, hosts)


def _train(
    job: TrainingJob,
    algorithm: Algorithm,
    values: Values,
    paths: Paths,
    environment: Mapping[str, str],
    stop: StopRequest,
    hosts: Cluster,
) -> None:
    channels = checked_channels(job.channels, algorithm.channels, len(job.hosts))
    _check_content_types(channels, algorithm)
    make_directory(paths.output)
    first = hosts.rank == 0
    context = JobContext(
        environment=environment,
        device=machine.device(environment),
        model_directory=make_directory(paths.model),
        output_data=make_directory(paths.output_data if first else paths.output_data / job.current_host),
        checkpoints=job.checkpoints,
        cluster=hosts,
        stop=stop,
        bar=Progress.by(environment),
    )
    log.info("training %s on the %s, job %s", algorithm.name, context.device.upper(), job.name)
    with hidden(algorithm.unneeded):
        trained = algorithm.train(values, channels, context)
    stop.wait_for_model()
    if not first:
        log.info("host %s leaves the model to host %s", job.current_host, hosts.hosts[0])
        return
    if trained is None:
        raise AlgorithmError(f"{algorithm.name} left no model to save on the host that saves it")
    _save(algorithm, values, trained, paths)
    _report(algorithm, job, trained, paths)


def _refuse_several_hosts(job: TrainingJob, algorithm: Algorithm) -> None:
    if len(job.hosts) > 1 and algorithm.hosts == "one":
        raise UserError(
            f"this job has {len(job.hosts)} hosts ({', '.join(job.hosts)}), and {algorithm.name} trains on a single "
            "instance: set InstanceCount to 1"
        )


def _algorithm(job: TrainingJob, environment: Mapping[str, str]) -> Algorithm:
    name = job.algorithm_name(environment)
    if name is None:
        raise UserError(
            f"no algorithm was chosen: set the environment variable {ALGORITHM_VARIABLE} or the hyperparameter "
            f"{ALGORITHM_HYPERPARAMETER} to one of {', '.join(algorithms.names())}",
            field=ALGORITHM_HYPERPARAMETER,
        )
    return algorithms.find(name)


def _check_content_types(channels: Mapping[str, Channel], algorithm: Algorithm) -> None:
    """Refuse a channel whose type, or type in Pipe mode, the algorithm does not read; without one the first counts."""
    for specification in algorithm.channels:
        channel = channels.get(specification.name)
        if channel is None:
            continue
        read = specification.content_types if channel.input_mode == "File" else specification.pipe_content_types
        given = _essence(channel, specification.content_types[0])
        if given not in read:
            raise UserError(
                f"Channel configuration for {channel.name!r} channel is not supported: content type {given} in "
                f"{channel.input_mode} mode; this channel reads {', '.join(read)}",
                field=channel.name,
            )


def _essence(channel: Channel, default: str) -> str:
    try:
        return parse_media_type(channel.content_type or default).essence
    except UnsupportedMediaType as error:
        raise UserError(f"channel {channel.name!r}: ContentType {error}", field=channel.name) from error


def _save(algorithm: Algorithm, values: Values, trained: Trained, paths: Paths) -> None:
    earlier = manifest.glanced_at(paths.model)
    manifest.remove(paths.model)
    names = trained.model.save(paths.model)
    manifest.discard(paths.model, earlier, names)
    manifest.write(
        paths.model,
        manifest.Manifest(
            algorithm=algorithm.name,
            versions=manifest.versions_of(algorithm.distributions),
            hyperparameters=dict(values.given),
            model=dict(trained.model.describe()),
            files={name: manifest.sha256(paths.model / name) for name in names},
        ),
    )
    log.info("model written to %s: %s", paths.model, ", ".join([*names, manifest.NAME]))


def _report(algorithm: Algorithm, job: TrainingJob, trained: Trained, paths: Paths) -> None:
    metrics = json.dumps(trained.metrics, indent=2, allow_nan=False)
    write_text(paths.output_data / "metrics.json", metrics + "\n")
    html = page.render(f"{algorithm.name} training report", f"Job {job.name}", trained.figures)
    write_text(paths.output_data / "report.html", html)
    log.info("report written to %s", paths.output_data / "report.html")


def _failed(paths: Paths, error: BaseException, code: int) -> int:
    log.error("%s", failure.reason(error))
    failure.write(paths, error)
    return code
