"""containers/mnist/training-job.json run for real: libsvm channels in, error rate and confusion matrix out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "containers" / "mnist" / "training-job.json"


def trained(channels: Path, base: Path) -> tuple[str, dict[str, Any]]:
    """Run the job over these channels; the log and metrics.json."""
    command = [sys.executable, "-m", "sagedock", "run", DOCUMENT, "--base", base]
    for name in ("train", "validation"):
        command += ["--channel", f"{name}={channels / name}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    metrics: dict[str, Any] = json.loads((base / "output" / "data" / "metrics.json").read_text())
    return run.stdout, metrics


def logged(log: str, metric: str) -> list[float]:
    return [float(value) for value in re.findall(rf"^\[\d+\]\t.*\b{metric}:([\d.]+)", log, re.MULTILINE)]


def check_confusion(metrics: dict[str, Any], labels: np.ndarray, merror: float) -> None:
    """Ten rows of actual digits, ten columns of predicted ones; what lies off the diagonal is the error."""
    counts = np.array(metrics["confusion"]["counts"])
    assert counts.shape == (10, 10)
    assert counts.sum(axis=1).tolist() == np.bincount(labels, minlength=10).tolist()
    error = 1 - np.trace(counts) / counts.sum()
    assert error == pytest.approx(metrics["error"])
    assert error == pytest.approx(merror, abs=1e-5)


def test_a_thousand_digits_train(mnist: ModuleType, shared: Path, tmp_path: Path) -> None:
    """Issue item 7: the workload runs from sagedock like churn does; 1,000 digits to learn from, 100 to judge."""
    parts = mnist.prepare(shared / "mnist", tmp_path / "channels", rows=1200)
    log, metrics = trained(tmp_path / "channels", tmp_path / "opt-ml")
    errors = logged(log, "validation-merror")
    assert len(errors) == 10
    assert errors[-1] < 0.35
    check_confusion(metrics, parts.validation.labels, errors[-1])
    assert metrics["columns"] == 785


@pytest.mark.slow
def test_the_workshops_run_has_the_workshops_error(mnist: ModuleType, shared: Path, tmp_path: Path) -> None:
    """xgboost 61, on the workshop's own split: the first 50,000 digits, and the 10,000 after them for validation.

    The statement's other half, the error on MNIST's 10,000 test digits, is not checked: the shared data lack them.
    """
    digits = mnist.read(shared / "mnist")
    train, validation = (digits.take(np.arange(start, stop)) for start, stop in ((0, 50_000), (50_000, 60_000)))
    mnist.write(mnist.Split(train, validation, validation.take(np.arange(100))), tmp_path / "channels")
    log, metrics = trained(tmp_path / "channels", tmp_path / "opt-ml")
    errors = logged(log, "validation-merror")
    assert errors[-1] == pytest.approx(0.077, abs=0.005)
    check_confusion(metrics, validation.labels, errors[-1])
