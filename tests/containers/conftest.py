"""Fixtures for the workload folders under containers/."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


def _module(workload: str, name: str) -> ModuleType:
    """A script of a workload folder, imported by its path: containers/ is no package."""
    file = ROOT / "containers" / workload / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"containers_{workload}_{name}", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up there
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def churn() -> ModuleType:
    """containers/churn/prepare.py."""
    return _module("churn", "prepare")


@pytest.fixture(scope="session")
def mnist() -> ModuleType:
    """containers/mnist/prepare.py."""
    return _module("mnist", "prepare")


@pytest.fixture(scope="session")
def anomaly() -> ModuleType:
    """containers/anomaly/prepare.py."""
    return _module("anomaly", "prepare")


@pytest.fixture(scope="session")
def forecasting() -> ModuleType:
    """containers/forecasting/prepare.py."""
    return _module("forecasting", "prepare")


@pytest.fixture(scope="session")
def news() -> ModuleType:
    """containers/text-classification/prepare.py."""
    return _module("text-classification", "prepare")


@pytest.fixture(scope="session")
def topics() -> ModuleType:
    """containers/topics/prepare.py."""
    return _module("topics", "prepare")


@pytest.fixture(scope="session")
def pictures() -> ModuleType:
    """containers/image-transfer/prepare.py."""
    return _module("image-transfer", "prepare")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data folder {SHARED} is absent")
    return SHARED
