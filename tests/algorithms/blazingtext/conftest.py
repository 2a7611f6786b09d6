"""With the compiled core and without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from sagedock import core
from tests.without_core import without_core


@pytest.fixture(scope="module", params=["core", "python"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """A module's tests are run in both ways when it uses this."""
    if request.param == "core" and core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    with nullcontext() if request.param == "core" else without_core():
        yield request.param
