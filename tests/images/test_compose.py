"""The compose files, run by each Compose to be had here: 1.29 as Debian's docker-compose, 2 as the client's plugin."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.images.conftest import ROOT, MakeJob
from tests.images.container import Engine, Served
from tests.platform import PATIENCE_SECONDS, wait_until
from tests.ports import free_port

pytestmark = pytest.mark.docker

FILE, GPU_FILE = ROOT / "containers" / "compose.yaml", ROOT / "containers" / "compose.gpu.yaml"
OWNER = 4321


def _composes() -> list[list[str]]:
    """The commands on this machine that are a Compose."""
    found = [["docker-compose"]] if shutil.which("docker-compose") else []
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        found += [["docker", "compose"]] if plugin.returncode == 0 else []
    return found


@pytest.fixture(params=_composes() or [[]], ids=" ".join)
def compose(request: pytest.FixtureRequest) -> list[str]:
    """Each Compose in turn, as the start of a command."""
    if not request.param:
        pytest.skip("no Compose: Debian's package docker-compose brings one")
    return request.param


def test_gpu_file_adds_only_the_device(compose: list[str], tmp_path: Path) -> None:
    """Issue 2, item 9: what the overlay changes is the device reservation, and nothing else."""
    plain, overlaid = _services(compose, tmp_path, FILE), _services(compose, tmp_path, FILE, GPU_FILE)
    for service in ("train", "serve"):
        devices = overlaid[service].pop("deploy")["resources"]["reservations"]["devices"]
        assert len(devices) == 1
        assert (devices[0]["driver"], devices[0]["capabilities"]) == ("nvidia", ["gpu"])
    assert overlaid == plain


def test_trains_then_serves(
    compose: list[str], cpu: Engine, churn_job: MakeJob, held_back: bytes, tmp_path: Path
) -> None:
    """Issue 2, item 9: the algorithm from the environment, one folder, and nothing in it is root's afterwards."""
    job = churn_job(tmp_path / "ml", num_round="5", sagedock_algorithm=None)
    os.chown(job.base, OWNER, OWNER)
    port = free_port()
    variables = {"ML": str(job.base), "IMAGE": cpu.image, "ALGORITHM": "xgboost", "PORT": str(port)}
    command = [*compose, "--project-name", tmp_path.name.replace("_", "").lower(), "--file", str(FILE)]
    environment = {**os.environ, **variables}
    with (tmp_path / "up.log").open("wb") as log:
        up = subprocess.Popen([*command, "up"], env=environment, stdout=log, stderr=log)
        try:
            served = Served(cpu.client, port)  # the container is Compose's own
            wait_until(lambda: served.ping() == 200 or up.poll() is not None)
            assert up.poll() is None, (tmp_path / "up.log").read_text()
            status, answer = served.request("POST", "/invocations", held_back, Content_Type="text/csv")
        finally:
            subprocess.run([*command, "down", "--timeout", "20"], env=environment, check=True, capture_output=True)
            up.wait(PATIENCE_SECONDS)
    assert status == 200
    assert len(answer.split()) == len(held_back.splitlines())
    outputs = [path for name in ("model", "output") for path in (job.base / name).rglob("*")]
    assert {path.stat().st_uid for path in outputs} == {OWNER}


def test_a_job_that_ends_well_ends_compose_well(
    compose: list[str], cpu: Engine, churn_job: MakeJob, tmp_path: Path
) -> None:
    """Contract H01, H08: the file that SDK 2 writes, and `up --abort-on-container-exit` returns 0."""
    job = churn_job(tmp_path / "ml", num_round="2")
    host = "algo-1-x7k2p"
    service = {
        "image": cpu.image,
        "container_name": f"{host}-{os.getpid()}-{tmp_path.name[-1]}",
        "command": "train",
        "stdin_open": True,
        "tty": True,
        "volumes": [f"{job.base}:/opt/ml"],
        "networks": {"sagemaker-local": {"aliases": [host]}},
    }
    file = tmp_path / "docker-compose.yaml"
    file.write_text(json.dumps({"version": "2.3", "services": {host: service}, "networks": {"sagemaker-local": {}}}))
    command = [*compose, "--project-name", "sdk" + tmp_path.name.replace("_", "").lower(), "--file", str(file)]
    up = subprocess.run([*command, "up", "--abort-on-container-exit"], capture_output=True, text=True, check=False)
    subprocess.run([*command, "down"], check=True, capture_output=True)
    assert up.returncode == 0, up.stdout + up.stderr
    assert (job.model / "xgboost-model").exists()


def _services(compose: list[str], base: Path, *files: Path) -> dict[str, Any]:
    """The services as Compose understands the files."""
    arguments = [argument for file in files for argument in ("--file", str(file))]
    environment = {**os.environ, "ML": str(base), "IMAGE": "sagedock:cpu", "ALGORITHM": "xgboost"}
    printed = subprocess.run([*compose, *arguments, "config"], env=environment, check=True, capture_output=True)
    return yaml.safe_load(printed.stdout)["services"]
