"""Weights for who has a network: the program that fetches them for an image, from a server of this machine."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.images.container import Engine

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "containers" / "weights"
CONTENT = bytes(range(256)) * 9000  # more than is read at once
NAME = f"resnet18-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"
DAMAGED = "resnet18-f37072fd.pth"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Mirror:
    """A place that has the files, and the folder that they are fetched into."""

    address: str
    target: Path

    def fetch(self, wanted: str | None, address: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the program as a build does."""
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment["WEIGHTS_SOURCE"] = address or self.address
        if wanted is not None:
            environment["IMAGENET_WEIGHTS"] = wanted
        command = [sys.executable, str(PROGRAM), str(self.target)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @property
    def files(self) -> list[str]:
        return sorted(file.name for file in self.target.rglob("*") if file.is_file())


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    served = tmp_path / "served"
    served.mkdir()
    (tmp_path / "target").mkdir()
    (served / NAME).write_bytes(CONTENT)
    (served / DAMAGED).write_bytes(b"an answer of a proxy")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Mirror(f"http://127.0.0.1:{server.server_port}", tmp_path / "target")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_fetched_whole_from_where_one_says(mirror: Mirror) -> None:
    """Issue 8 item 2: a build argument fetches weights; a second one is for mirrors, with or without a final slash."""
    run = mirror.fetch(f"{NAME},", f"{mirror.address}/")
    assert (run.returncode, run.stderr) == (0, "")
    file = mirror.target / "weights" / NAME
    assert file.read_bytes() == CONTENT
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("wanted", [None, "", "  "])
def test_nothing_is_fetched_unless_asked_for(mirror: Mirror, wanted: str | None) -> None:
    assert mirror.fetch(wanted).returncode == 0
    assert list(mirror.target.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("18", "does not begin as its name says"),
        ("50", "cannot fetch http://127.0.0.1:"),
        ("20", "IMAGENET_WEIGHTS has '20': it takes 18, 34, 50, 101, 152"),
        ("../../etc/passwd", "IMAGENET_WEIGHTS has '../../etc/passwd'"),
    ],
)
def test_what_is_not_to_be_had_ends_the_build(mirror: Mirror, wanted: str, reason: str) -> None:
    """Damaged, absent, unknown: the reason, and no file that could be taken for weights."""
    run = mirror.fetch(wanted)
    assert run.returncode == 1
    assert reason in run.stderr
    assert "Traceback" not in run.stderr
    assert mirror.files == []


@pytest.mark.parametrize("address", ["nowhere", "http://127.0.0.1:1"])
def test_an_address_where_nobody_answers(mirror: Mirror, address: str) -> None:
    run = mirror.fetch("18", address)
    assert (run.returncode, mirror.files) == (1, [])
    assert "WEIGHTS_SOURCE names another place" in run.stderr
    assert "Traceback" not in run.stderr


def test_the_files_are_torchvisions() -> None:
    """Its names for the networks that image classification begins with."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        pytest.skip("torchvision is not installed")
    theirs = (Path(spec.origin).parent / "models" / "resnet.py").read_text()
    known = re.findall(r'^    "\d+": "(resnet\S+)",$', PROGRAM.read_text(), re.MULTILINE)
    assert [int(name[6:].partition("-")[0]) for name in known] == [18, 34, 50, 101, 152]
    for name in known:
        assert f"https://download.pytorch.org/models/{name}" in theirs


@pytest.mark.parametrize("variant", ["cpu", "gpu"])
def test_a_build_takes_both_arguments(variant: str) -> None:
    """Off unless asked for; one stage, so that with weights or without the layers below are the same."""
    text = (ROOT / f"Dockerfile.{variant}").read_text()
    stage = text[text.index("FROM build AS torch") : text.index("FROM build AS code")]
    assert 'ARG IMAGENET_WEIGHTS="" WEIGHTS_SOURCE=https://download.pytorch.org/models\nRUN ' in stage
    assert stage.rstrip().endswith("/tmp/weights /torch")


@pytest.mark.docker
def test_the_usual_image_has_none(cpu: Engine) -> None:
    assert cpu.shell("test ! -e /opt/sagedock/weights").code == 0
