"""Every kernel of the compiled core survives damaged inputs under sanitizers (issue 3 items 4 and 5)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from sagedock.contracts.machine import cpu_count
from tests.core.fuzz import KERNELS, build, run

INPUTS = 100_000
FEWER = {"reservoir": 30_000, "forecaster": 3_000, "resampling": 3_000, "hls": 10_000}
"""Kernels of which an input takes longer under sanitizers."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("g++") is None:
        pytest.skip("no g++ to compile the kernels with sanitizers")
    return build(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def runs(
    program: Path, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[subprocess.CompletedProcess[str]]]]:
    """Those of the kernels whose tests were chosen, as many at once as there are processors: each may take 420 MB."""
    specifications = (getattr(item, "callspec", None) for item in request.session.items)
    chosen = {one.params.get("kernel") for one in specifications if one is not None}
    with ThreadPoolExecutor(cpu_count()) as pool:
        yield {
            kernel: pool.submit(run, program, kernel, FEWER.get(kernel, INPUTS), 0)
            for kernel in KERNELS
            if kernel in chosen
        }


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_survives_damaged_inputs(
    runs: dict[str, Future[subprocess.CompletedProcess[str]]], kernel: str
) -> None:
    done = runs[kernel].result()
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{FEWER.get(kernel, INPUTS)} inputs of {kernel}\n"


def test_the_driver_knows_every_kernel_that_is_run(program: Path) -> None:
    done = run(program, "none", 1, seed=0)
    assert done.returncode == 2
    assert sorted(done.stderr.split("one of ")[1].split()) == sorted(KERNELS)
