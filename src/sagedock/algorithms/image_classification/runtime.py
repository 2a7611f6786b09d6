"""ONNX Runtime, imported so that it keeps to itself what it computes."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

TELEMETRY = "ORT_DISABLE_TELEMETRY"
"""Read when ONNX Runtime is first imported, and never again."""


def onnxruntime() -> ModuleType:
    """The package onnxruntime; nobody else imports it.

    Its wheels otherwise write an identifier of the machine below the home directory, and send events to their maker
    (Privacy.md in the wheel). Who wants that sets ORT_DISABLE_TELEMETRY=0.
    """
    os.environ.setdefault(TELEMETRY, "1")
    return importlib.import_module("onnxruntime")
