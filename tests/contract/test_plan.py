"""plan.json: written by `sagedock plan`, read by `sagedock serve`, and hostile where it comes with a model."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.contracts import capacity, machine, plan
from sagedock.contracts.hosting import MEBIBYTE, HostingSettings
from sagedock.contracts.plan import Plan
from sagedock.errors import PlatformError, UserError

MADE = Plan(
    cpus=machine.cpus(),
    workers=1,
    threads=3,
    requests_per_second=1234.5,
    p99_ms=2.5,
    p99_limit_ms=10.0,
    cpu_us_per_request=60.0,
    memory_bytes=70 * MEBIBYTE,
    max_concurrent_transforms=4,
    max_payload_in_mb=20,
    sagedock="0",
)


def settings(base: Path, **environment: str) -> HostingSettings:
    return HostingSettings.from_environment({"SAGEDOCK_DEVICE": "cpu", "SAGEMAKER_BASE_DIR": str(base), **environment})


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base directory whose model has a plan for this machine."""
    (tmp_path / "model").mkdir()
    plan.write(tmp_path / "model" / plan.NAME, MADE)
    return tmp_path


def change(base: Path, **members: Any) -> None:
    file = base / "model" / plan.NAME
    file.write_text(json.dumps({**asdict(MADE), **members}))


def test_what_is_written_is_read(base: Path) -> None:
    assert plan.read(base / "model" / plan.NAME) == MADE


def test_a_plan_that_cannot_be_written_says_why() -> None:
    with pytest.raises(PlatformError, match="cannot write /proc/plan"):
        plan.write(Path("/proc/plan.json"), MADE)


def test_a_plan_sets_workers_threads_and_execution_parameters(base: Path) -> None:
    """contract E01, E02: the answer is what was measured."""
    found = settings(base)
    assert (found.workers, found.threads, found.plan) == (1, 3, MADE)
    assert found.execution_parameters() == {
        "MaxConcurrentTransforms": 4,
        "MaxPayloadInMB": 20,
        "BatchStrategy": "MULTI_RECORD",
    }


@pytest.mark.parametrize(
    "explicit",
    [
        {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"},
        {"SAGEDOCK_INFERENCE_THREADS": "1"},
        {"SAGEMAKER_MAX_PAYLOAD_IN_MB": "6"},
    ],
)
def test_an_explicit_variable_wins(base: Path, explicit: dict[str, str]) -> None:
    """contract E03: the answer follows from the settings in force, since nothing was measured with them."""
    found = settings(base, **explicit)
    assert found.plan is None
    assert found.execution_parameters()["MaxConcurrentTransforms"] == found.workers * found.threads


def test_a_plan_elsewhere_and_no_plan(base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = tmp_path / "other.json"
    plan.write(other, replace(MADE, threads=7))
    assert settings(base, SAGEDOCK_PLAN=str(other)).threads == 7
    assert settings(base, SAGEDOCK_PLAN="off").threads == 1
    assert not caplog.records
    assert settings(base, SAGEDOCK_PLAN=str(tmp_path / "absent.json")).threads == 1
    assert ["does not exist" in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"cpus": machine.cpus() + 0.5}, "CPUs and there are"),
        ({"workers": 1024}, "asks for 1024 workers"),
        ({"memory_bytes": 2**60}, "bytes of memory and the limit"),
        ({"workers": 0}, "workers '0', which must be a whole number from 1 to 1024"),
        ({"workers": 1.5}, "workers '1.5'"),
        ({"workers": True}, "workers 'True'"),
        ({"workers": "2"}, "workers '2'"),
        ({"threads": 10**30}, "threads '1000"),
        ({"p99_ms": float("nan")}, "p99_ms 'nan'"),
        ({"cpus": float("inf")}, "cpus 'inf'"),
        ({"requests_per_second": None}, "requests_per_second 'None'"),
        ({"max_concurrent_transforms": 11, "max_payload_in_mb": 10}, "= 110, above 100"),
        ({"format_version": 2}, "format_version '2'"),
        ({"sagedock": "x" * plan.LARGEST_BYTES}, "more than 65536 bytes"),
    ],
)
def test_a_plan_that_does_not_apply_is_one_line_of_the_log(
    base: Path, caplog: pytest.LogCaptureFixture, members: dict[str, Any], text: str
) -> None:
    change(base, **members)
    with caplog.at_level(logging.WARNING):
        found = settings(base)
    assert (found.threads, found.plan) == (1, None)
    assert [text in record.message for record in caplog.records] == [True], caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 60000, b'{"workers": ' + b"9" * 5000 + b"}"])
def test_content_that_is_no_plan(base: Path, content: bytes) -> None:
    file = base / "model" / plan.NAME
    file.write_bytes(content)
    with pytest.raises(UserError, match=str(file)):
        plan.read(file)
    assert settings(base).threads == 1


def test_a_fifo_or_a_directory_of_that_name_holds_nothing_up(base: Path) -> None:
    file = base / "model" / plan.NAME
    file.unlink()
    os.mkfifo(file)
    assert settings(base).threads == 1
    file.unlink()
    file.mkdir()
    assert settings(base).threads == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("a\0\xe9", max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(members=st.dictionaries(st.sampled_from(sorted(asdict(MADE))), JSON))
def test_any_members_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, members: dict[str, Any]) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps({**asdict(MADE), **members}))
    try:
        found = plan.read(file)
    except UserError:
        return
    assert found.max_concurrent_transforms * found.max_payload_in_mb <= 100
    assert 1 <= found.threads <= plan.MOST_THREADS


@pytest.mark.parametrize(
    ("cpus", "memory", "artefacts", "request_bytes", "workers"),
    [
        (2, 8 * 1024 * MEBIBYTE, MEBIBYTE, 25 * MEBIBYTE, 2),
        (16, 8 * 1024 * MEBIBYTE, MEBIBYTE, 25 * MEBIBYTE, 16),
        (16, 8 * 1024 * MEBIBYTE, 500 * MEBIBYTE, 25 * MEBIBYTE, 3),
        (2, 256 * MEBIBYTE, MEBIBYTE, 25 * MEBIBYTE, 1),
        (2, 512 * MEBIBYTE, MEBIBYTE, 25 * MEBIBYTE, 2),
        (4, 64 * MEBIBYTE, 1024 * MEBIBYTE, 25 * MEBIBYTE, 1),
    ],
)
def test_workers_fit_processors_and_memory(
    cpus: int, memory: int, artefacts: int, request_bytes: int, workers: int
) -> None:
    assert capacity.workers(cpus, memory, artefacts, request_bytes) == workers


def test_the_size_of_a_model_counts_regular_files_once(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "inner" / "b").write_bytes(b"x" * 500)
    (tmp_path / "inner" / "link").symlink_to(tmp_path / "a")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert capacity.artefact_bytes(tmp_path) == 1500
    assert capacity.artefact_bytes(tmp_path / "absent") == 0
