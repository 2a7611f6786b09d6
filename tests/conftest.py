"""For all tests: where continuous integration says so, what a test needs has to be there."""

from __future__ import annotations

import os
from collections.abc import Generator

import hypothesis
import pytest

hypothesis.settings.register_profile("sagedock", deadline=None)  # time never decides a test
hypothesis.settings.load_profile("sagedock")

REQUIRED = ("docker", "browser")
"""Marks of tests that .ci/run may not skip: it has installed what they need."""
VARIABLE = "SAGEDOCK_REQUIRE_ALL"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With SAGEDOCK_REQUIRE_ALL=1 a skipped test that needs Docker or a browser is a failed one."""
    report = yield
    marked = any(item.get_closest_marker(mark) for mark in REQUIRED)
    if report.skipped and marked and os.environ.get(VARIABLE) == "1":
        report.outcome = "failed"
        report.longrepr = f"{VARIABLE} is 1, but this test was skipped: {report.longrepr}"
    return report


@pytest.fixture(params=["cpu", "cuda"])
def torch_device(request: pytest.FixtureRequest) -> str:
    """Each device that torch computes on; cuda is skipped where no GPU is."""
    torch = pytest.importorskip("torch")
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return str(request.param)
