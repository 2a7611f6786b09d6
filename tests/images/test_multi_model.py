"""A multi-model endpoint in a container, its models mounted read-only as the platform does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.images.container import Engine
from tests.platform import Job

pytestmark = pytest.mark.docker


def test_models_are_read_only(cpu: Engine, trained: Job, held_back: bytes, tmp_path: Path) -> None:
    """Contract F16, with a root file system that is read-only and a user without a name."""
    directory = tmp_path / "models" / "0f" / "model"
    shutil.copytree(trained.model, directory)
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    options = {
        "volumes": {str(tmp_path / "models"): {"bind": "/opt/ml/models", "mode": "ro"}},
        "environment": {"SAGEMAKER_MULTI_MODEL": "true"},
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},
        "user": "12345:12345",
    }
    with cpu.serving(trained.base) as single:
        expected = single.invoke(held_back)
    with cpu.serving(**options) as served:
        served.wait(lambda: served.ping() == 200)
        document = json.dumps({"model_name": "0f", "url": "/opt/ml/models/0f/model"}).encode()
        status, body = served.request("POST", "/models", document, Content_Type="application/json")
        assert status == 200, body
        answer = served.request("POST", "/models/0f/invoke", held_back, Content_Type="text/csv")
        assert answer == (200, expected)
        assert served.request("DELETE", "/models/0f")[0] == 200
