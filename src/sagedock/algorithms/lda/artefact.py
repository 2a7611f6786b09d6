"""The model files: `model_algo-1` in safetensors, which is served, and the same arrays in lda.npz, for other programs.

The built-in's model_algo-1 is a list of two MXNet arrays, alpha (K,) and beta (K, V); these have the same shapes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.files import write_bytes
from sagedock.errors import ModelError
from sagedock.formats import safetensors
from sagedock.formats.safetensors import Tensors

NAME, FOR_READERS = "model_algo-1", "lda.npz"
FORMAT, VERSION = "sagedock lda", "1"
_FARTHEST = 1e-3
"""The probabilities of a topic's words may miss 1 by so much."""

Floats = NDArray[np.float32]


def write(directory: Path, alpha: Floats, beta: Floats) -> Sequence[str]:
    """Write both files; their names."""
    safetensors.write(directory / NAME, {"alpha": alpha, "beta": beta}, {"format": FORMAT, "version": VERSION})
    content = io.BytesIO()
    np.savez(content, alpha=alpha, beta=beta)
    write_bytes(directory / FOR_READERS, content.getvalue())
    return [NAME, FOR_READERS]


def read(file: Path) -> tuple[Floats, Floats]:
    """alpha (topics,) and beta (topics, words). Raises ModelError with the reason and a remedy."""
    try:
        return _arrays(safetensors.read(file))
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(
            f"{file} is no topic model that can be read ({error}): deploy the model's archive again; a model of "
            "SageMaker's own container has to be trained anew"
        ) from error


def _arrays(tensors: Tensors) -> tuple[Floats, Floats]:
    tensors.require_format(FORMAT, VERSION)
    arrays = tensors.arrays
    if set(arrays) != {"alpha", "beta"}:
        raise ValueError(f"it holds {', '.join(sorted(arrays))[:100] or 'nothing'}, not alpha, beta")
    alpha, beta = arrays["alpha"], arrays["beta"]
    if alpha.dtype != np.float32 or beta.dtype != np.float32 or alpha.ndim != 1 or beta.ndim != 2:
        raise ValueError("alpha and beta are not of 32-bit floats, in one dimension and in two")
    if not len(alpha) or len(alpha) != len(beta) or not beta.shape[1]:
        raise ValueError(f"alpha is {alpha.shape} and beta {beta.shape}, not (topics,) and (topics, words)")
    if not (np.isfinite(alpha) & (alpha > 0)).all():
        raise ValueError("an alpha is not above 0, or not finite")
    if not (beta >= 0).all() or not (abs(beta.sum(axis=1, dtype=np.float64) - 1) <= _FARTHEST).all():
        raise ValueError("the probabilities of a topic's words are not 0 or more, and 1 together")
    return alpha, beta
