"""The environment of a hosting container (contract.md 3.7, 4.1, 4.2; xgboost.md 7.7)."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.contracts import machine, manifest
from sagedock.contracts.hosting import MEBIBYTE, HostingSettings, InferenceOptions
from sagedock.errors import PlatformError, UserError

CPU = {"SAGEDOCK_DEVICE": "cpu"}


def settings(**environment: str) -> HostingSettings:
    return HostingSettings.from_environment({**CPU, **environment})


def test_defaults() -> None:
    assert settings() == HostingSettings(port=8080, workers=machine.cpu_count(), max_payload_bytes=25 * MEBIBYTE)


def test_everything_given() -> None:
    given_all = settings(
        SAGEMAKER_BIND_TO_PORT="9123",
        SAGEMAKER_MODEL_SERVER_WORKERS="3",
        SAGEMAKER_MODEL_SERVER_TIMEOUT="3600",
        SAGEDOCK_INFERENCE_THREADS="2",
        MAX_CONTENT_LENGTH="20971520",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/json",
        SAGEMAKER_BATCH="true",
        SAGEMAKER_INFERENCE_OUTPUT=" Predicted_Label , probability,",
        SAGEMAKER_INFERENCE_ENSEMBLE="True",
        SAGEDOCK_ALLOW_PICKLE="1",
    )
    assert given_all == HostingSettings(
        port=9123,
        workers=3,
        threads=2,
        timeout=3600,
        max_payload_bytes=20 * MEBIBYTE,
        default_accept="application/json",
        batch="true",
        options=InferenceOptions(
            output=("predicted_label", "probability"), ensemble=True, allow_pickle=True, device="cpu"
        ),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "http"),
        ("SAGEMAKER_BIND_TO_PORT", "70000"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "auto"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "1_0"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "\N{ARABIC-INDIC DIGIT THREE}"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "9" * 5000),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "0"),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "1h"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "-1"),
        ("MAX_CONTENT_LENGTH", "6MB"),
        ("SAGEMAKER_INFERENCE_ENSEMBLE", "maybe"),
        ("SAGEMAKER_MULTI_MODEL", "True"),
        ("SAGEDOCK_MODEL_EVICTION", "fifo"),
    ],
)
def test_garbage_is_a_warning_and_the_default(name: str, value: str, caplog: pytest.LogCaptureFixture) -> None:
    """contract D27"""
    with caplog.at_level(logging.WARNING):
        assert settings(**{name: value}) == settings()
    assert [repr(value) in record.message and name in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("environment", "workers"),
    [
        ({"MODEL_SERVER_WORKERS": "1"}, 1),
        ({"MODEL_SERVER_WORKERS": "3"}, 3),
        ({"MODEL_SERVER_WORKERS": "3", "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}, 2),
        ({"MODEL_SERVER_WORKERS": "many"}, machine.cpu_count()),
    ],
)
def test_the_workers_may_be_told_by_the_name_that_deepar_knows(environment: dict[str, str], workers: int) -> None:
    """deepar 31."""
    assert settings(**environment).workers == workers


@pytest.mark.parametrize("text", ["", "false", "True", "TRUE", "1", " true", "yes"])
def test_multi_model_is_exactly_true(text: str) -> None:
    """contract 5.1: unset or not `true` is a single model."""
    assert settings(SAGEMAKER_MULTI_MODEL="true").multi_model
    assert settings(SAGEMAKER_MULTI_MODEL=text) == settings()


def test_the_memory_of_models() -> None:
    """Issue 3, item 2: a memory budget, by default from the container's limit and what is in use already."""
    many = {"SAGEMAKER_MULTI_MODEL": "true"}
    default = settings(**many)
    assert 0 < default.model_memory_bytes < machine.memory_limit() * 3 // 4
    assert default.eviction == "platform"
    several = settings(**many, SAGEMAKER_MODEL_SERVER_WORKERS="5")
    assert (several.workers, several.threads) == (1, machine.cpu_count()), "models are held once"
    chosen = settings(**many, SAGEDOCK_MODEL_MEMORY_IN_MB="12", SAGEDOCK_MODEL_EVICTION="LRU")
    assert (chosen.model_memory_bytes, chosen.eviction) == (12 * MEBIBYTE, "lru")


@pytest.mark.parametrize(
    ("environment", "mebibytes"),
    [
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "100"}, 100),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}, 100),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "6", "MAX_CONTENT_LENGTH": "99"}, 6),
        ({"MAX_CONTENT_LENGTH": "1048576"}, 1),
    ],
)
def test_the_payload_limit(environment: dict[str, str], mebibytes: int) -> None:
    """contract E04"""
    assert settings(**environment).max_payload_bytes == mebibytes * MEBIBYTE


@given(
    workers=st.integers(1, 300),
    threads=st.integers(1, 8),
    payload=st.one_of(st.none(), st.integers(0, 200)),
    batch=st.sampled_from(["", "true", "TRUE", "True", "false"]),
)
def test_execution_parameters_hold_for_any_settings(
    workers: int, threads: int, payload: int | None, batch: str
) -> None:
    """contract E01 to E03"""
    environment = {
        "SAGEMAKER_MODEL_SERVER_WORKERS": str(workers),
        "SAGEDOCK_INFERENCE_THREADS": str(threads),
        "SAGEMAKER_BATCH": batch,
    }
    if payload is not None:
        environment["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(payload)
    found = settings(**environment)
    parameters = found.execution_parameters()
    transforms, megabytes = parameters["MaxConcurrentTransforms"], parameters["MaxPayloadInMB"]
    assert isinstance(transforms, int)
    assert isinstance(megabytes, int)
    assert 1 <= transforms <= max(workers * threads, 1)
    assert 1 <= megabytes <= max(found.max_payload_bytes // MEBIBYTE, 1)
    assert transforms * megabytes <= 100
    assert parameters.get("BatchStrategy") == (None if batch == "True" else "MULTI_RECORD")


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(UserError, match="allowed are auto, cpu, gpu"):
        settings(SAGEDOCK_DEVICE="tpu")
    if machine.gpu_count() == 0:
        with pytest.raises(PlatformError, match="no GPU is visible"):
            settings(SAGEDOCK_DEVICE="gpu")
        assert settings(SAGEDOCK_DEVICE="auto").options.device == "cpu"


def test_a_model_that_learns_has_one_worker_and_one_thread(tmp_path: Path) -> None:
    """Whatever a plan says, and however many processors there are; what is asked for by name is refused later."""
    model = tmp_path / "model"
    model.mkdir()
    manifest.write(model, manifest.Manifest("randomcutforest", {}, {}, {"learns": True}, {}))
    (model / "plan.json").write_text(json.dumps({"workers": 3, "threads": 2}))
    there = {"SAGEMAKER_BASE_DIR": str(tmp_path)}
    found = settings(**there)
    assert (found.workers, found.threads, found.plan) == (1, 1, None)
    assert HostingSettings.from_environment(CPU, model) == found
    assert settings(**there, SAGEMAKER_MODEL_SERVER_WORKERS="3").workers == 3
    assert settings(**there, SAGEDOCK_STREAMING="off").workers == machine.cpu_count()
    assert settings(**there, SAGEDOCK_STREAMING="perhaps") == found
    manifest.write(model, manifest.Manifest("randomcutforest", {}, {}, {"learns": "yes"}, {}))
    assert settings(**there).workers == machine.cpu_count()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"model": {"learns": true}}', b"[" * 100_000])
def test_a_manifest_that_is_none_is_left_to_loading(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_bytes(content)
    assert settings(SAGEMAKER_BASE_DIR=str(tmp_path)).workers == machine.cpu_count()
    (tmp_path / "model" / "manifest.json").unlink()
    os.mkfifo(tmp_path / "model" / "manifest.json")
    assert settings(SAGEMAKER_BASE_DIR=str(tmp_path)).workers == machine.cpu_count()
