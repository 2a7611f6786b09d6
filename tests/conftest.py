"""For all tests: where continuous integration says so, what a test needs has to be there; and who runs beside whom.

Continuous integration runs files side by side (pytest-xdist, --dist loadfile). What is measured under a load of its own
making is marked `alone`: no other test runs meanwhile.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

REQUIRED = ("docker", "browser")
"""Marks of tests that .ci/run may not skip: it has installed what they need."""
VARIABLE = "SAGEDOCK_REQUIRE_ALL"

hypothesis.settings.register_profile(
    "sagedock",
    deadline=None,  # time never decides a test
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # nor does drawing that takes 30 seconds
    derandomize=os.environ.get(VARIABLE) == "1",  # nor does chance there; elsewhere each run looks further
)
hypothesis.settings.load_profile("sagedock")


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


FIRST = (
    "tests/images/",
    "tests/fuzz/",
    "tests/core/test_fuzz.py",
    "tests/quickstart/",
    "tests/serving/",
    "tests/contract/",
)
"""Files that take longest: they come first, lest one worker be left with them when the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first where several workers share the tests; a stable order, the same for all of them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next((place for place, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """No name of a test is long, or holds bytes or a time: each worker has to find the same names."""
    if isinstance(val, bytes) or (isinstance(val, str) and len(val) > 40):
        return argname
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Where several workers share the tests, run one that is marked `alone` while the others wait."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with _turn(item.config, alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextmanager
def _turn(config: pytest.Config, *, alone: bool) -> Iterator[None]:
    """Each test has its turn by a lock that many share or one holds; who waits for it closes the gate behind it.

    The folder of the tests and their configuration are what is locked, so that tests which a test runs elsewhere do not
    wait for it.
    """
    with _opened(config.rootpath) as room, _opened(config.inipath or config.rootpath / "conftest.py") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(room, fcntl.LOCK_UN)  # a process forked meanwhile has it too, and may live on


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The descriptor of a file or folder, to be locked."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture(params=["cpu", "cuda"])
def torch_device(request: pytest.FixtureRequest) -> str:
    """Each device that torch computes on; cuda is skipped where no GPU is."""
    torch = pytest.importorskip("torch")
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return str(request.param)
