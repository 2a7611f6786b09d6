"""Random Cut Forest in the CPU image: trained and served with no network, and nothing writable but /opt/ml and /tmp."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest.artefact import read
from tests.algorithms.randomcutforest import data
from tests.images.container import Engine, wait_until
from tests.platform import Job

pytestmark = pytest.mark.docker

SHUT: Mapping[str, Any] = {"network_mode": "none", "read_only": True, "tmpfs": {"/tmp": ""}}
PING = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/ping').status)"
ASK = """
import sys, urllib.request
asked = urllib.request.Request("http://127.0.0.1:8080/invocations", sys.argv[1].encode(), {"Content-Type": "text/csv"})
print(urllib.request.urlopen(asked).read().decode())
"""


def job(base: Path, **given: str) -> Job:
    asked = {"feature_dim": "3", "num_trees": "50", "num_samples_per_tree": "16", **given}
    made = Job(base, asked, {"SAGEDOCK_ALGORITHM": "randomcutforest"})
    made.add_channel("train", {"rows.csv": data.csv(data.rows(2000))}, ContentType="text/csv;label_size=0")
    labels = (np.arange(300) % 50 == 0).astype(np.float32)
    rows = data.rows(300, seed=1) + 5 * labels[:, None]
    return made.add_channel("test", {"rows.csv": data.csv(rows, labels)}, ContentType="text/csv;label_size=1")


@pytest.mark.parametrize("given", [{}, {"_shingle_size": "4", "_sampling": "overlapping", "_scale_columns": "true"}])
def test_trained_and_served_read_only_and_without_network(cpu: Engine, tmp_path: Path, given: dict[str, str]) -> None:
    """Issue 4, item 1: the same model and scores as of a process, and nothing is compiled to serve them.

    No compiler is in the image (test_contents.py), the root cannot be written to, and /tmp holds a lock only.
    """
    boxed, process = job(tmp_path / "boxed", **given), job(tmp_path / "process", **given)
    run = cpu.run("train", boxed.base, environment=boxed.environment, **SHUT)
    assert run.code == 0, run.log
    assert process.run() == 0, process.failure
    assert (boxed.model / "model_algo-1").read_bytes() == (process.model / "model_algo-1").read_bytes()
    rows = data.rows(4, seed=2)
    with cpu.started("serve", boxed.base, **SHUT) as container:
        wait_until(lambda: container.exec_run(["python3", "-c", PING]).output.strip() == b"200", container)
        answer = json.loads(container.exec_run(["python3", "-c", ASK, data.csv(rows)]).output)
        left = container.exec_run(["find", "/tmp", "-type", "f", "!", "-name", "*.lock"]).output
    detector, _ = read(process.model / "model_algo-1")
    shingles = rows.reshape(-1, detector.forest.columns)
    expected = np.repeat(detector.scores(shingles), detector.shingle_size)
    assert [score["score"] for score in answer["scores"]] == [float(score) for score in expected]
    assert left == b""
