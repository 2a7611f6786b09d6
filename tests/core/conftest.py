"""The compiled core, which these tests are about: a machine without it skips them, continuous integration does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sagedock import core


@pytest.fixture
def native() -> core.Native:
    """The core, whatever instruction set is the best here."""
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    return core.native


SETS = ("scalar", "avx2", "avx512")


@pytest.fixture(params=SETS)
def each_native(request: pytest.FixtureRequest, native: core.Native) -> Iterator[core.Native]:
    """The core once for each instruction set that this processor has."""
    if request.param not in native.instruction_sets():
        pytest.skip(f"this processor has no {request.param}")
    native.use_instruction_set(request.param)
    yield native
    native.use_instruction_set(native.instruction_sets()[-1])
