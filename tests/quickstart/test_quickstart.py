"""scripts/quickstart and the tour it gives: real training, a real server, real customers, in processes of their own."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "containers" / "churn" / "quickstart.py"
PATIENCE = 300.0


@dataclass(frozen=True)
class Finished:
    """What one tour printed and left."""

    text: str
    directory: Path
    port: int

    def command(self, start: str) -> str:
        """The printed command that begins with `start`, its continuation lines with it."""
        found = re.search(rf"^{re.escape(start)}(?:.*\\\n)*.*$", self.text, re.MULTILINE)
        assert found is not None, self.text
        return found[0]


def clean_environment(home: Path) -> dict[str, str]:
    """This environment without AWS, SageMaker or Python settings, and with a home of its own."""
    dropped = ("AWS_", "SAGEMAKER_", "SAGEDOCK_", "PYTHON", "VIRTUAL_ENV", "MPL")
    return {**{name: text for name, text in os.environ.items() if not name.startswith(dropped)}, "HOME": str(home)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A tour while port 8080 is taken, by us unless somebody else has it."""
    directory = tmp_path_factory.mktemp("quickstart")
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("", 8080))
            holder.listen()
        except OSError:
            pass  # somebody else's: taken all the same
        environment = clean_environment(directory) | {"SAGEDOCK_ALGORITHM": "ntm", "AWS_REGION": "eu-central-1"}
        command = [sys.executable, TOUR, "--directory", directory / "made"]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    port = re.search(r"ready on http://localhost:(\d+) ", run.stdout)
    assert port is not None, run.stdout
    return Finished(run.stdout, directory / "made", int(port[1]))


def known(finished: Finished) -> tuple[np.ndarray, np.ndarray, float]:
    """Labels and probabilities of the customers held back, from the files alone, and the manifest's cut-off."""
    import xgboost

    with (finished.directory / "test" / "test.csv").open() as lines:
        table = np.array([[float(cell) for cell in row] for row in csv.reader(lines)], dtype=np.float32)
    model = finished.directory / "opt-ml" / "model"
    booster = xgboost.Booster(model_file=bytearray((model / "xgboost-model").read_bytes()))
    manifest = json.loads((model / "manifest.json").read_text())
    return table[:, 0], booster.predict(xgboost.DMatrix(table[:, 1:])), manifest["model"]["decision"]["cut_off"]


def test_the_sizes_are_printed(finished: Finished) -> None:
    """Issue item 1."""
    assert "1,893 customers to train on, 541 for validation, 271 held back for the test" in finished.text


def test_auc_and_error_are_those_of_the_customers_held_back(finished: Finished) -> None:
    """Issue item 1: a line of the form `AUC 0.9123`, measured in this run."""
    labels, probabilities, _ = known(finished)
    left, stayed = probabilities[labels == 1], probabilities[labels == 0]
    wins = (left[:, None] > stayed).mean() + 0.5 * (left[:, None] == stayed).mean()
    assert re.search(rf"^AUC {wins:.4f}$", finished.text, re.MULTILINE)
    assert wins > 0.85
    assert f"error {((probabilities > 0.5) != labels).mean():.4f} " in finished.text


def test_the_confusion_matrices_are_those_at_half_and_at_the_manifests_cut_off(finished: Finished) -> None:
    """Issue items 1 and 7."""
    labels, probabilities, cut_off = known(finished)
    assert f"cut-off {cut_off:g}" in finished.text
    for actual, name in ((0, "actually stayed"), (1, "actually left")):
        group = probabilities[labels == actual]
        expected = [
            count for limit in (0.5, cut_off) for count in (int((group <= limit).sum()), int((group > limit).sum()))
        ]
        line = next(line for line in finished.text.splitlines() if line.startswith(name))
        assert [int(cell) for cell in line.split()[2:]] == expected


def test_the_readme_of_churn_has_these_figures(finished: Finished) -> None:
    """Its table's last two columns: the customers held back, at 0.5 and at the cut-off chosen."""
    page = (ROOT / "containers" / "churn" / "README.md").read_text()
    rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|"))
    table = {name: cells for name, *cells in rows}
    lines = finished.text.splitlines()
    assert f"AUC {table['AUC'][2]}" in lines
    assert any(line.startswith(f"error {table['error'][2]} ") for line in lines)
    counts = {line[:15].strip(): line.split()[2:] for line in lines if line.startswith("actually ")}
    for column, place in ((2, 0), (3, 2)):
        lost, found = (int(cell) for cell in counts["actually left"][place : place + 2])
        right, vain = (int(cell) for cell in counts["actually stayed"][place : place + 2])
        assert table["left, found"][column] == f"{found} of {found + lost}"
        assert table["stayed, promotion in vain"][column] == f"{vain} of {right + vain}"
        assert any(line.split()[0] == f"${table['cost'][column]}" for line in lines if line.startswith("    $"))


def test_the_report_lies_where_it_says(finished: Finished) -> None:
    """Issue item 1."""
    assert f"report: {finished.directory / 'report.html'}" in finished.text
    written = finished.directory / "opt-ml" / "output" / "data" / "report.html"
    assert (finished.directory / "report.html").read_bytes() == written.read_bytes()


def test_another_port_is_taken_when_the_usual_one_is_busy_and_the_server_is_gone(finished: Finished) -> None:
    """Issue item 1: quickstart stops its own server."""
    assert finished.port != 8080
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", finished.port)) != 0


def test_the_printed_commands_serve_and_ask(finished: Finished) -> None:
    """Issue item 1: the first command starts the server again, curl gets a probability and a decision."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    if not Path(sys.executable).with_name("sagedock").exists():
        pytest.skip("the command sagedock is not installed beside this Python")
    serve = finished.command("SAGEMAKER_INFERENCE_OUTPUT=")
    with subprocess.Popen(["bash", "-c", f"exec env {serve}"], cwd=ROOT, stderr=subprocess.PIPE) as server:
        try:
            wait_for_ping(server, finished.port)
            curl = ["bash", "-c", finished.command("curl ")]
            answer = json.loads(subprocess.run(curl, cwd=ROOT, capture_output=True, check=True).stdout)
        finally:
            server.send_signal(signal.SIGTERM)
    (prediction,) = answer["predictions"]
    assert set(prediction) == {"probability", "decision"}
    assert f"({prediction['probability']:.3f})" in finished.text
    assert prediction["decision"] == 1


def wait_for_ping(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping") as response:
                if response.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise AssertionError("the server was never ready")


def test_the_docker_commands_name_the_directories_made(finished: Finished) -> None:
    """Issue item 1: build, train with the caller's identity, serve the model read-only."""
    base = finished.directory / "opt-ml"
    assert finished.command("scripts/build") == "scripts/build cpu"
    train, serve = re.findall(r"^docker run .*$", finished.text, re.MULTILINE)
    assert f'{base}:/opt/ml" sagedock:cpu train' in train
    assert '--user "$(id -u):$(id -g)"' in train
    assert f'{base}/model:/opt/ml/model:ro" sagedock:cpu serve' in serve
    assert f"-p {finished.port}:8080" in serve


def test_a_job_that_fails_shows_its_log(tmp_path: Path) -> None:
    """The cause is printed, and there is no stack trace of ours."""
    made = tmp_path / "made"
    environment = clean_environment(tmp_path)
    (tmp_path / "checkout").mkdir()
    for name in ("containers", "src"):
        shutil.copytree(ROOT / name, tmp_path / "checkout" / name)
    job = tmp_path / "checkout" / "containers" / "churn" / "training-job.json"
    job.write_text(job.read_text().replace('"max_depth": "5"', '"max_depth": "deep"'))
    command = [sys.executable, job.with_name("quickstart.py"), "--directory", made]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert re.search(r"^  training +failed$", run.stdout, re.MULTILINE)
    assert "max_depth" in run.stderr
    assert f"the whole log is {made / 'train.log'}" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_directory_that_cannot_be_made_is_named() -> None:
    command = [sys.executable, TOUR, "--directory", "/dev/null/made"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("quickstart: ")
    assert "/dev/null/made" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout as it stands, tracked and new files, nothing that git ignores."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    target = tmp_path_factory.mktemp("checkout") / "sagedock"
    listed = ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in subprocess.run(listed, capture_output=True, check=True).stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def test_without_python_the_remedy_is_printed(checkout: Path, tmp_path: Path) -> None:
    """A machine with the usual tools and no Python 3.11."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "env", "dirname", "date", "mkdir", "cat", "tail", "cut", "sed", "grep", "rm", "ls"):
        found = shutil.which(name)
        assert found is not None, name
        (tools / name).symlink_to(found)
    command = [tools / "bash", checkout / "scripts" / "quickstart"]
    run = subprocess.run(command, env={"PATH": str(tools)}, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert re.search(r"^  environment +failed$", run.stdout, re.MULTILINE)
    assert "apt-get install python3 python3-venv" in run.stderr


def test_without_a_network_the_remedy_is_printed(checkout: Path, tmp_path: Path) -> None:
    """No package index answers: neither uv nor pip gets anything."""
    dead = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "UV_DEFAULT_INDEX": "http://127.0.0.1:9/"}
    quick = {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, "UV_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [checkout / "scripts" / "quickstart"],
        env=clean_environment(tmp_path) | dead | quick | {"PIP_NO_CACHE_DIR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert re.search(r"^  environment +failed$", run.stdout, re.MULTILINE)
    assert "no package index was reached: check the network" in run.stderr


@pytest.mark.slow
def test_a_clean_checkout_runs_it_twice(checkout: Path, tmp_path: Path) -> None:
    """Issue item 1: exit 0, a quiet and complete output, one environment, and the second run makes none."""
    environment = clean_environment(tmp_path)
    made = {"quickstart", ".venv-quickstart"}
    before = {path.name for path in checkout.iterdir()} - made
    runs = []
    for _ in range(2):
        command = [checkout / "scripts" / "quickstart"]
        runs.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=False))
        assert runs[-1].returncode == 0, runs[-1].stdout + runs[-1].stderr
        assert runs[-1].stderr == ""
        assert not re.search("warning", runs[-1].stdout, re.IGNORECASE)
    assert re.search(r"^  environment +\d+ packages in \.venv-quickstart", runs[0].stdout, re.MULTILINE)
    assert re.search(r"^  environment +\.venv-quickstart is there already$", runs[1].stdout, re.MULTILINE)
    first, second = (re.findall(r"^(AUC 0\.\d{4}|actually .*)$", run.stdout, re.MULTILINE) for run in runs)
    assert first == second
    assert len(first) == 3
    assert (checkout / "quickstart" / "report.html").stat().st_size > 10_000
    assert {path.name for path in checkout.iterdir()} - before == made
