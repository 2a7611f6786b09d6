"""Every test of the formats runs twice: with the compiled core and without it."""

from __future__ import annotations

import pytest

from sagedock import core


@pytest.fixture(autouse=True, params=["core", "Python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How numbers are read and written in this test."""
    if request.param == "Python":
        monkeypatch.setattr(core, "native", None)
    elif core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    return str(request.param)
