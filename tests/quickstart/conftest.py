"""Where the checkout is, and the churn scripts imported by path."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def results() -> ModuleType:
    """containers/churn/results.py, found as the quickstart finds it: on the path of its own folder."""
    sys.path.insert(0, str(ROOT / "containers" / "churn"))
    try:
        import results
    finally:
        sys.path.pop(0)
    return results
