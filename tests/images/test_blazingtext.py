"""BlazingText in the CPU image: trained and served with no network, and nothing writable but /opt/ml and /tmp."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.algorithms.blazingtext.jobs import job
from tests.images.container import Engine, wait_until

pytestmark = pytest.mark.docker

PING = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/ping').status)"
ASK = """
import sys, urllib.request
asked = urllib.request.Request(
    "http://127.0.0.1:8080/invocations", sys.argv[1].encode(), {"Content-Type": "application/json"}
)
print(urllib.request.urlopen(asked).read().decode())
"""


@pytest.mark.parametrize(("mode", "instance"), [("supervised", "nothing known here"), ("batch_skipgram", "unheard-of")])
def test_trained_and_served_read_only_and_without_network(
    cpu: Engine, tmp_path: Path, mode: str, instance: str
) -> None:
    """Issue 5; requirement 22."""
    made = job(tmp_path / "ml", mode, evaluation="False")
    shut = {"network_mode": "none", "read_only": True, "tmpfs": {"/tmp": ""}}
    run = cpu.run("train", made.base, environment=made.environment, **shut)
    assert run.code == 0, run.log
    with cpu.started("serve", made.base, **shut) as container:
        wait_until(lambda: container.exec_run(["python3", "-c", PING]).output.strip() == b"200", container)
        (answer,) = json.loads(container.exec_run(["python3", "-c", ASK, json.dumps({"instances": [instance]})]).output)
    if mode == "supervised":
        assert answer["label"][0].startswith("__label__")
        assert 0 < answer["prob"][0] <= 1.00002
    else:
        assert answer == {"word": instance, "vector": [0.0] * 8}
