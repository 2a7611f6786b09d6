"""The settings of a hosting container, read from its environment once (SageMaker developer guide, hosting)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InferenceOptions:
    """What the deployer asks of a model, beside the request.

    `output` is SAGEMAKER_INFERENCE_OUTPUT (selectable inference), `ensemble` SAGEMAKER_INFERENCE_ENSEMBLE,
    `allow_pickle` SAGEDOCK_ALLOW_PICKLE, `device` 'cpu' or 'gpu'.
    """

    output: tuple[str, ...] = ()
    ensemble: bool = False
    allow_pickle: bool = False
    device: str = "cpu"
