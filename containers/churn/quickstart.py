"""What scripts/quickstart runs once its environment stands: churn from the raw table to answers over HTTP.

Training and serving are the processes of a container, `sagedock train` and `sagedock serve`, over a directory that
stands for /opt/ml. Every figure printed is measured on the server's answers for customers that training never saw.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

import numpy as np
import prepare
from results import Answers, Results

from sagedock.algorithms.xgboost.cost import CostMatrix
from sagedock.contracts import manifest
from sagedock.contracts.documents import read_document
from sagedock.contracts.paths import Paths
from sagedock.errors import PlatformError, SagedockError
from sagedock.local import base

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHANNELS = ("train", "validation", "feature-names")
USUAL_PORT = 8080
READY_SECONDS = 60.0
POLL_SECONDS = 0.02
REQUEST_SECONDS = 60.0
LOG_LINES = 15

Found = TypeVar("Found")


class ProcessError(SagedockError):
    """A process ended otherwise than it should; its `log` says why."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(message)
        self.log = log


@dataclass(frozen=True)
class Workplace:
    """What lies where below quickstart/."""

    root: Path

    @property
    def paths(self) -> Paths:
        """The directory that stands for /opt/ml."""
        return Paths(self.root / "opt-ml")

    @property
    def test(self) -> Path:
        """The customers held back; no part of the training job."""
        return self.root / "test"

    @property
    def report(self) -> Path:
        """The training job's report."""
        return self.root / "report.html"

    def log(self, name: str) -> Path:
        """Where a process writes what it has to say."""
        return self.root / f"{name}.log"

    def clear(self) -> None:
        """Remove what an earlier run left; raises PlatformError when that is somebody else's."""
        try:
            for directory in (self.paths.base, self.test):
                if directory.exists():
                    shutil.rmtree(directory)
            self.report.unlink(missing_ok=True)
        except OSError as error:
            raise PlatformError(
                f"cannot remove {error.filename}, left by an earlier run: {error.strerror}; remove {self.root} first"
            ) from error


def tour(place: Workplace, started: float) -> None:
    """Prepare, train, serve, ask, and print; `started` is the time.time() at which the user began to wait."""
    model = read_document(HERE / "model.json")
    asked = {name: str(value) for name, value in model["PrimaryContainer"]["Environment"].items()}
    place.clear()
    parts = _step("data", lambda: _prepare(place), _sizes)
    _step(
        "training", lambda: _train(place), lambda rounds: f"{rounds} rounds of XGBoost on {len(parts.train.labels):,}"
    )
    port = _free_port()
    with _serving(place, port, asked):
        customers = (place.test / "features.csv").read_text().splitlines()
        _invoke(port, customers[:1])
        waited = time.time() - started
        answers = _step(
            "invocations", lambda: _answers(_invoke(port, customers)), lambda found: f"{len(found.decision)} answered"
        )
    shutil.copyfile(place.paths.output_data / "report.html", place.report)
    results = Results(parts.test.labels.astype(np.int64), answers, *_decision(place))
    print(f"\nFirst prediction after {waited:.0f} s.\n\n{results.text()}")
    leaving = int(np.argmax(answers.probability))
    print(_directions(place, port, asked, customers[leaving], answers.probability[leaving]))


def _prepare(place: Workplace) -> prepare.Split:
    parts = prepare.split(prepare.read(prepare.RAW_DATA))
    prepare.write_channels(parts, place.paths.data)
    prepare.write_test(parts.test, place.test)
    job = read_document(HERE / "training-job.json")
    base.build(job, place.paths.base, {name: place.paths.data / name for name in CHANNELS})
    return parts


def _sizes(parts: prepare.Split) -> str:
    train, validation, test = (len(part.labels) for part in (parts.train, parts.validation, parts.test))
    return f"{train:,} customers to train on, {validation} for validation, {test} held back for the test"


def _train(place: Workplace) -> int:
    """Run `sagedock train` and return the number of rounds it did."""
    log, job = place.log("train"), read_document(HERE / "training-job.json")
    variables = {**_environment(place), "TRAINING_JOB_NAME": str(job["TrainingJobName"])}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "sagedock", "train"]
        code = subprocess.run(command, env=variables, stdout=output, stderr=output, check=False).returncode
    if code != 0:
        raise ProcessError(f"training ended with the exit code {code}", log)
    return len(_rounds(log))


def _rounds(log: Path) -> list[str]:
    """The metric lines: `[0]`, a TAB, and so on."""
    return [line for line in log.read_text(errors="replace").splitlines() if line.startswith("[") and "]\t" in line]


@contextmanager
def _serving(place: Workplace, port: int, settings: Mapping[str, str]) -> Iterator[None]:
    """`sagedock serve` on `port`, ready when the block begins and gone when it ends."""
    log = place.log("serve")
    variables = {**_environment(place), **settings, "SAGEMAKER_BIND_TO_PORT": str(port)}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "sagedock", "serve"]
        server = subprocess.Popen(command, env=variables, stdout=output, stderr=output)
    try:
        _step("server", lambda: _wait_until_ready(server, port, log), lambda _: f"ready on http://localhost:{port}")
        yield
    finally:
        server.terminate()
        try:
            server.wait(timeout=READY_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise ProcessError(f"the server ended with the exit code {server.returncode}", log)
        try:
            if _request(port, "GET", "/ping")[0] == http.client.OK:
                return
        except OSError:
            pass
        time.sleep(POLL_SECONDS)
    raise ProcessError(f"the server was not ready within {READY_SECONDS:.0f} s", log)


def _request(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "text/csv", "Accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _invoke(port: int, customers: list[str]) -> list[dict[str, Any]]:
    """The server's answers for these customers, one CSV line each."""
    status, answer = _request(port, "POST", "/invocations", "\n".join(customers).encode())
    if status != http.client.OK:
        raise PlatformError(f"/invocations answered {status}: {answer.decode(errors='replace')[:500]}")
    predictions: list[dict[str, Any]] = json.loads(answer)["predictions"]
    return predictions


def _answers(predictions: list[dict[str, Any]]) -> Answers:
    probability = np.array([float(prediction["probability"]) for prediction in predictions])
    return Answers(probability, np.array([int(prediction["decision"]) for prediction in predictions]))


def _decision(place: Workplace) -> tuple[float, CostMatrix]:
    """The cut-off and the costs that the model's manifest holds."""
    content = manifest.read(place.paths.model)
    if content is None:
        raise PlatformError(f"{place.paths.model} has no {manifest.NAME}")
    decision = content.model["decision"]
    return float(decision["cut_off"]), CostMatrix.from_rows(decision["cost_matrix"])


def _environment(place: Workplace) -> dict[str, str]:
    """This process's environment without what would steer a job, and with the place of /opt/ml."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SAGEMAKER_", "SAGEDOCK_", "AWS_"))
    }
    caches = {"MPLCONFIGDIR": str(place.root / "matplotlib")}
    return {**kept, **caches, "SAGEMAKER_BASE_DIR": str(place.paths.base)}


def _free_port() -> int:
    """8080 unless somebody listens there, else any free one."""
    for wanted in (USUAL_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PlatformError("there is no free port to serve on: stop a process that listens")


def _directions(place: Workplace, port: int, settings: Mapping[str, str], customer: str, probability: float) -> str:
    """Where the report lies and the commands to go on with; they work from the checkout's root."""
    opt_ml = shlex.quote(_from_root(place.paths.base))
    variables = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    serve = [*variables, *([] if port == USUAL_PORT else [f"SAGEMAKER_BIND_TO_PORT={port}"])]
    passed = "".join(f" -e {variable}" for variable in variables)
    return f"""
report: {_from_root(place.report)}

Go on in {ROOT}:

# serve the model again; Ctrl-C ends it
{" ".join(serve)} {_from_root(Path(sys.executable).parent / "sagedock")} serve --base {opt_ml}

# in a second terminal, ask about the held-back customer most likely to leave ({probability:.3f})
curl -s -H 'Content-Type: text/csv' -H 'Accept: application/json' http://localhost:{port}/invocations \\
  --data '{customer}'

# the same in Docker: build the image, train, serve
scripts/build cpu
docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/{opt_ml}:/opt/ml" sagedock:cpu train
docker run --rm -p {port}:8080{passed} -v "$PWD/{opt_ml}/model:/opt/ml/model:ro" sagedock:cpu serve
"""


def _from_root(path: Path) -> str:
    """`path` as it is written by somebody who stands in the checkout."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _step(name: str, work: Callable[[], Found], described: Callable[[Found], str]) -> Found:
    """Do `work`, its name standing on the terminal while it lasts and its outcome and seconds afterwards."""
    begun = time.monotonic()
    print(f"  {name:<13}", end="", flush=True)
    try:
        found = work()
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{described(found)} ({time.monotonic() - begun:.1f} s)", flush=True)
    return found


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    """Give the tour and return the exit code."""
    parser = argparse.ArgumentParser(description="Train on the shipped churn data, serve the model and judge it.")
    parser.add_argument(
        "--started", type=float, default=time.time(), help="when the waiting began, in seconds of Unix time"
    )
    parser.add_argument("--directory", type=Path, default=ROOT / "quickstart", help="where everything is written")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    place = Workplace(options.directory.resolve())
    try:
        place.root.mkdir(parents=True, exist_ok=True)
        tour(place, options.started)
    except ProcessError as error:
        lines = error.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        print("", *(f"    {line}" for line in lines), "", sep="\n", file=sys.stderr)
        print(f"quickstart: {error}; the whole log is {error.log}", file=sys.stderr)
        return 1
    except (SagedockError, OSError) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nquickstart: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
