"""What each process imports. That imports point one way is import-linter's work, in scripts/check."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sagedock import core
from tests.algorithms.randomcutforest import data as randomcutforest
from tests.platform import Job
from tests.serving.models import COLUMNS, write_model
from tests.serving.process import Server

PROGRAM = """
import json, sys
{code}
print(json.dumps(sorted(name for name in sys.modules if sys.modules[name] is not None)))
"""
REQUESTS = """
import numpy
from sagedock.formats import media_types, requests, responses
from sagedock.formats.table import Predictions
for content_type, body in (('text/csv', b'1,2'), ('application/json', b'{\\"instances\\": [[1, 2]]}')):
    assert requests.decode(body, media_types.parse_media_type(content_type)).fitted_to(2).rows == 1
    assert responses.encode(Predictions({'score': numpy.ones(1, 'f4')}), content_type)
"""
SERVING = """
from pathlib import Path
from sagedock.serving import server, service, worker
from sagedock.contracts.hosting import HostingSettings
from sagedock.serving.loading import load
answer = load(Path(sys.argv[1]) / "model", None, HostingSettings()).invoke(b"1,2,3,4,5\\n", "text/csv", None)
assert answer.status == 200
"""


def imported(code: str, *arguments: str) -> set[str]:
    """The modules that a new process has imported after `code`."""
    command = [sys.executable, "-c", PROGRAM.format(code=code), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def served_modules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What serving has imported after its first answer."""
    assert COLUMNS == 5
    return imported(SERVING, str(write_model(tmp_path_factory.mktemp("serving"))))


@pytest.fixture(scope="module")
def scoring_modules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The same for a random cut forest, which needs no core for it."""
    assert randomcutforest.COLUMNS == 5
    return imported(SERVING, str(randomcutforest.write_model(tmp_path_factory.mktemp("scoring"))))


@pytest.mark.parametrize("absent", ["sagedock.training", "sagedock.reports", "pyarrow", "scipy", "torch", "xgboost"])
def test_scoring_does_without(absent: str, scoring_modules: set[str]) -> None:
    """Issue 4: the first answer is quick to come, and the process small."""
    assert "sagedock.algorithms.randomcutforest.model" in scoring_modules
    assert not {name for name in scoring_modules if name == absent or name.startswith(f"{absent}.")}


needs_core = pytest.mark.skipif(core.native is None, reason="without the compiled core XGBoost answers")


@needs_core
@pytest.mark.parametrize(
    "absent",
    [
        "sagedock.training",
        "sagedock.reports",
        "sagedock.local",
        "matplotlib",
        "pyarrow",
        "sklearn",
        "pandas",
        "scipy",
        "xgboost",
    ],
)
def test_serving_does_without(absent: str, served_modules: set[str]) -> None:
    """Issue 3 item 4: the training framework is not imported at all, and start and memory have no room for the rest."""
    assert "sagedock.serving.loading" in served_modules
    assert not {name for name in served_modules if name == absent or name.startswith(f"{absent}.")}


@needs_core
def test_a_real_worker_has_no_such_library_in_its_memory(tmp_path: Path) -> None:
    with Server(write_model(tmp_path)) as server:
        server.wait_ready()
        mapped = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in server.workers)
        assert "sagedock/_core" in mapped
        for library in ("libxgboost", "/scipy/", "pyarrow", "matplotlib"):
            assert library not in mapped, library


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import sagedock.cli", {"numpy", "flask", "gunicorn", "xgboost", "sagedock.training", "sagedock.serving"}),
        ("import sagedock.contracts.hosting, sagedock.contracts.training", {"numpy", "flask", "xgboost"}),
        ("import sagedock.formats.requests, sagedock.formats.training", {"xgboost", "flask", "pyarrow", "matplotlib"}),
        (
            "from sagedock.formats import csv_files, instances, libsvm, libsvm_files, requests, responses, rows, table",
            {"scipy"},
        ),
        (REQUESTS, {"scipy", "pyarrow", "flask"}),
        ("import sagedock.algorithm", {"scipy", "xgboost", "torch", "flask", "pyarrow", "matplotlib"}),
        ("import sagedock.training.run", {"xgboost", "flask", "gunicorn", "matplotlib", "pyarrow"}),
    ],
)
def test_importing_a_layer_leaves_heavy_libraries_alone(code: str, absent: set[str]) -> None:
    assert not imported(code) & absent


def test_training_imports_nothing_merely_because_it_is_installed(tmp_path: Path) -> None:
    """XGBoost looks for pandas and scikit-learn, which takes longer than a small job."""
    job = Job(tmp_path, {"num_round": "2", "objective": "binary:logistic"}, {"SAGEDOCK_ALGORITHM": "xgboost"})
    job.add_channel("train", {"a.csv": "0,1,2\n1,2,3\n" * 5}, ContentType="text/csv")
    modules = imported(f"from sagedock.training.run import run\nassert run({job.variables!r}) == 0")
    assert {"xgboost", "sagedock.training.run"} <= modules
    assert not {"pandas", "sklearn"} & modules
