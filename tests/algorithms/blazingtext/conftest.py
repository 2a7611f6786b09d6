"""With the compiled core and without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sagedock import core


@pytest.fixture(scope="module", params=["core", "python"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """A module's tests are run in both ways when it uses this."""
    native = core.native
    if request.param == "core" and native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    if request.param == "python":
        core.native = None
    yield request.param
    core.native = native
