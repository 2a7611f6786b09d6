"""The command `sagedock`: it parses, calls, and returns an exit code."""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sagedock import __version__, log
from sagedock.contracts import documents
from sagedock.contracts.exits import INTERRUPTED
from sagedock.errors import SagedockError, UserError

COMMANDS = ("train", "serve", "plan", "run", "delete", "transform", "convert", "list", "describe")
PLACES = {
    "process": "sagedock.local.processes",
    "docker": "sagedock.local.containers",
    "sagemaker": "sagedock.cloud.sagemaker",
}
"""Where sagedock run runs a document; each module has run() and delete()."""
_GIVEN = ("base", "source", "output", "image", "model", "role", "region", "memory", "port", "attach")
NOT_FOUND = 127


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command given and return the exit code.

    As the entry point of an image this follows SageMaker's conventions: without arguments it trains, and a first
    argument that is no command of ours is executed as a program, its exit code passed on.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["train"]
    if given[0] not in COMMANDS and not given[0].startswith("-"):
        return _execute(given)
    log.set_up()
    options = _parser().parse_args(given)
    environment = dict(os.environ)
    if getattr(options, "base", None) is not None:
        environment["SAGEMAKER_BASE_DIR"] = str(options.base.resolve())
    try:
        _choose_core(environment)
        return _COMMANDS[options.command](options, environment)
    except SagedockError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return INTERRUPTED


def _choose_core(environment: Mapping[str, str]) -> None:
    """Do without the compiled core where SAGEDOCK_COMPILED_CORE says so. Raises UserError for another word."""
    wanted = environment.get("SAGEDOCK_COMPILED_CORE", "on")
    if wanted not in {"on", "off"}:
        raise UserError(f"SAGEDOCK_COMPILED_CORE is {wanted!r}: use on or off", field="SAGEDOCK_COMPILED_CORE")
    if wanted == "off":
        from sagedock import core

        core.switch_off()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sagedock",
        description="Train and serve SageMaker's built-in algorithms, as a process or in a container.",
        epilog="Without arguments it trains. Any other first argument is executed as a program.",
    )
    parser.add_argument("--version", action="version", version=f"sagedock {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, meaning in (
        ("train", "run the training job under the base directory"),
        ("serve", "serve the model under the base directory on port 8080"),
    ):
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.add_argument("--base", type=Path, help="stands for /opt/ml (default: $SAGEMAKER_BASE_DIR or /opt/ml)")
        if name == "serve":
            command.add_argument("--model", metavar="DIRECTORY_OR_TAR", help="the model, in place of BASE/model")
    _add_plan(commands)
    _add_run_options(commands.add_parser("run", help="run a SageMaker request body here, in Docker, or on SageMaker"))
    delete = commands.add_parser("delete", help="stop and delete what sagedock run made of a document")
    _add_place(delete)
    _add_transform(commands)
    _add_convert(commands)
    commands.add_parser("list", help="list the algorithms")
    describe = commands.add_parser("describe", help="print an algorithm's channels, types and hyperparameters as JSON")
    describe.add_argument("algorithm")
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be a number above 0")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError(f"{text} must be a port from 1 to 65535")
    return number


def _add_place(command: argparse.ArgumentParser) -> None:
    command.add_argument("document", type=Path, help="a request body, for example containers/churn/training-job.json")
    command.add_argument("--on", choices=PLACES, default="process", help="where (default: process)")
    command.add_argument("--name", help="the name of what is created, in place of the document's")
    command.add_argument("--region", help="sagemaker: AWS region (default: that of the AWS configuration)")
    command.add_argument(
        "--poll", type=_positive, default=5.0, metavar="SECONDS", help="sagemaker: time between two looks"
    )


def _add_run_options(run: argparse.ArgumentParser) -> None:
    _add_place(run)
    run.add_argument("--base", type=Path, help="process, docker: the directory to make, which stands for /opt/ml")
    run.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="NAME=DIRECTORY",
        help="where a channel's files lie here; sagemaker: uploaded to its S3Uri; once for each channel",
    )
    run.add_argument(
        "--input",
        dest="source",
        metavar="PATH",
        help="a transform job's objects, in place of S3Uri",
    )
    run.add_argument("--output", type=Path, metavar="DIRECTORY", help="where archives or a transform job's answers go")
    run.add_argument("--model", metavar="PLACE", help="the model to host: a directory, a tar, or an s3:// address")
    run.add_argument("--image", help="the image to run, in place of the document's")
    run.add_argument("--role", metavar="ARN", help="sagemaker: the execution role, in place of the document's")
    run.add_argument("--memory", metavar="SIZE", help="docker: memory limit, for example 4g")
    run.add_argument(
        "--port", type=_port, default=8080, help="process, docker: where a model is served (default: 8080)"
    )
    run.add_argument("--attach", action="store_true", help="sagemaker: follow what is there instead of creating it")


def _add_plan(commands: Any) -> None:
    meaning = "load-test a model here and write down the setting that serves it best"
    command = commands.add_parser("plan", help=meaning, description=meaning)
    place = command.add_mutually_exclusive_group()
    place.add_argument("--base", type=Path, help="stands for /opt/ml (default: $SAGEMAKER_BASE_DIR or /opt/ml)")
    place.add_argument("--model", type=Path, help="the model directory (default: model below the base directory)")
    command.add_argument("--sample", type=Path, help="the body of a request (default: one CSV record, made up)")
    command.add_argument("--content-type", help="the type of the sample")
    command.add_argument("--accept", help="the type asked of the answers")
    command.add_argument(
        "--p99",
        type=_positive,
        metavar="MS",
        help="the p99 allowed, in ms (default: ten times a quiet server's median or twice its p99, at least 10)",
    )
    command.add_argument("--seconds", type=_positive, default=50.0, help="how long to measure, about (default: 50)")
    command.add_argument("--output", type=Path, help="where the plan goes (default: plan.json beside the model)")


def _add_transform(commands: Any) -> None:
    transform = commands.add_parser("transform", help="run a CreateTransformJob document here, as a process")
    transform.add_argument("document", type=Path, help="the request body, e.g. containers/churn/transform-job.json")
    transform.add_argument(
        "--model",
        action="append",
        type=Path,
        required=True,
        metavar="DIRECTORY_OR_TAR",
        help="the model's directory or model.tar.gz; several times for the containers of an inference pipeline",
    )
    transform.add_argument("--input", metavar="PATH", help="where the objects lie, in place of the document's S3Uri")
    transform.add_argument("--output", metavar="DIRECTORY", help="in place of the document's S3OutputPath")
    transform.add_argument(
        "--rejects",
        action="store_true",
        help="write bad records to NAME.rejects.jsonl and score the others, instead of failing as SageMaker does",
    )


def _add_convert(commands: Any) -> None:
    meaning = "turn a long table of series into DeepAR's JSON Lines, or these into a table"
    convert = commands.add_parser("convert", help=meaning, description=meaning)
    convert.add_argument("source", type=Path, help="a table (.csv, .csv.gz, .parquet), or records (.json, .json.gz)")
    convert.add_argument("result", type=Path, help="records where the source is a table, else a table")
    convert.add_argument("--freq", required=True, help="time_freq: a whole number and one of M, W, D, H, min")
    convert.add_argument("--item", default="item", help="the column that names the series; '' for one series alone")
    convert.add_argument("--time", default="timestamp", help="the column of times (default: timestamp)")
    convert.add_argument("--target", default="target", help="the column of values (default: target)")
    for name, becomes in (("feature", "a series of dynamic_feat"), ("category", "a number of cat")):
        text = f"a column that becomes {becomes}; once for each"
        convert.add_argument(f"--{name}", action="append", default=[], metavar="COLUMN", help=text)
    convert.add_argument(
        "--duplicates",
        choices=("refuse", "first", "last", "mean", "sum"),
        default="refuse",
        help="what becomes of a time that stands twice for an item",
    )
    convert.add_argument("--floor", action="store_true", help="take each time for the period that it lies in")
    convert.add_argument(
        "--future", type=int, default=0, metavar="STEPS", help="last steps of each series that only features are of"
    )


def _train(_options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    # process 1 of a container is deaf to signals it has no handler for, and the imports below take a moment
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    from sagedock.training.run import run

    return run(environment)


def _serve(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from sagedock.serving.server import serve

    if options.model is None:
        return serve(environment)
    from sagedock.local.model import on_this_machine

    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # what was unpacked is removed
    with on_this_machine(options.model) as directory:
        return serve(environment, directory)


def _plan(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from sagedock.contracts.paths import Paths
    from sagedock.local.plan import plan
    from sagedock.local.sample import Sample

    model = options.model or Paths.from_environment(environment).model
    if model.is_file():
        raise UserError(f"{model} is a file: unpack it, and name the directory, where plan.json goes too")
    algorithm = environment.get("SAGEDOCK_ALGORITHM")
    sample = Sample.of(options.sample, options.content_type, options.accept, model, algorithm)
    return plan(model, sample, environment, limit_ms=options.p99, seconds=options.seconds, output=options.output)


def _run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    document = documents.read(options.document).named(options.name)
    given = documents.RunOptions(
        channels=_pairs(options.channel),
        poll_seconds=options.poll,
        **{name: getattr(options, name) for name in _GIVEN},
    )
    return int(_place(options.on).run(document, given, environment))


def _delete(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    document = documents.read(options.document).named(options.name)
    given = documents.RunOptions(region=options.region, poll_seconds=options.poll)
    return int(_place(options.on).delete(document, given, environment))


def _place(name: str) -> Any:
    """The module that runs documents in that place; its libraries are loaded now, not before."""
    return importlib.import_module(PLACES[name])


def _transform(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    from sagedock.local.transform.job import transform

    return transform(
        options.document,
        options.model,
        environment,
        source=options.input,
        output=options.output,
        keep_rejects=options.rejects,
    )


def _convert(options: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    from sagedock.algorithms.deepar.conversion import convert

    told = convert(
        options.source,
        options.result,
        options.freq,
        {name: getattr(options, name) for name in ("item", "time", "target", "feature", "category")},
        duplicates=options.duplicates,
        floor=options.floor,
        future=options.future,
    )
    sys.stdout.write(f"{told} written to {options.result}\n")
    return 0


def _list(_options: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    from sagedock import algorithms

    for name in algorithms.names():
        sys.stdout.write(f"{name:24}{algorithms.find(name).summary}\n")
    return 0


def _describe(options: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    from sagedock import algorithms

    sys.stdout.write(json.dumps(algorithms.find(options.algorithm).description(), indent=2) + "\n")
    return 0


_COMMANDS = {
    "train": _train,
    "serve": _serve,
    "plan": _plan,
    "run": _run,
    "delete": _delete,
    "transform": _transform,
    "convert": _convert,
    "list": _list,
    "describe": _describe,
}


def _pairs(given: Sequence[str]) -> dict[str, Path]:
    pairs = {}
    for pair in given:
        name, separator, directory = pair.partition("=")
        if not separator or not name or not directory:
            raise UserError(f"--channel {pair!r} must have the form NAME=DIRECTORY", field="--channel")
        pairs[name] = Path(directory)
    return pairs


def _execute(command: Sequence[str]) -> int:
    program = shutil.which(command[0])
    if program is not None:
        sys.stdout.flush()
        os.execv(program, list(command))  # noqa: S606 - what an entry point is for
    sys.stderr.write(
        f"sagedock: {command[0]!r} is neither a command ({', '.join(COMMANDS)}) nor a program on PATH; "
        "try sagedock --help\n"
    )
    return NOT_FOUND
