"""A trained network as named arrays and a description, which is all that serving reads: no torch.

The gates of a layer stand in the order of torch's LSTM: input, forget, candidate, output. With H cells, I inputs:
`layer.0.input` (4 H, I), `layer.0.hidden` (4 H, H), `layer.0.bias` (4 H,) and so on; `embedding.0` (cardinality,
embedding_dimension) for each category; `output.weight` (P, H) and `output.bias` (P,) for the P parameters of the
likelihood; with a skip connection `skip` (lags,).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.deepar import calendar
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.contracts.files import write_bytes
from sagedock.errors import ModelError
from sagedock.formats import safetensors

Floats = NDArray[np.float32]

DESCRIPTION, ARRAYS = "model_algo-1", "model_algo-1.safetensors"
MEAN, DEVIATION = "mean", "deviation"
SMALLEST_SCALE = 1e-10
LEAST_SPREAD = 1e-3
"""Of values around their mean, in units of it: rounding is not taken for what happens."""

PARAMETERS = {
    "gaussian": ("mu", "sigma"),
    "student-t": ("mu", "sigma", "nu"),
    "negative-binomial": ("mu", "alpha"),
    "beta": ("alpha", "beta"),
    "deterministic-l1": ("mu",),
}
"""The likelihoods, and the parameters that the network's output maps to, in order."""

LOCATED = frozenset({"gaussian", "student-t", "deterministic-l1"})
"""Those of any real numbers, whose location can be moved: they alone may have DEVIATION, skip and spread."""

MOST_PARTS = 1 << 12
LARGEST_ARRAY = 1 << 30
"""Numbers: what a description may ask for."""
MOST_STEPS = 1 << 22
"""Of one series: what a description may have a server hold of it at once."""


@dataclass(frozen=True)
class Architecture:
    """How a network is built, and what it is asked for."""

    frequency: str
    context_length: int
    prediction_length: int
    likelihood: str
    cells: int
    layers: int
    lags: tuple[int, ...]
    cardinality: tuple[int, ...]
    embedding_dimension: int
    dynamic_features: int
    calendar_features: int
    default_scale: float = 1.0
    """The scale where a context holds nothing observed: that of the training data."""
    scaling: str = MEAN
    """MEAN divides by the mean of absolute values; DEVIATION takes the mean away first."""
    residual: bool = True
    """Whether the inputs of every layer but the first are added to its outputs."""
    ahead: bool = False
    """Whether a last covariate says how far ahead of what is known a step lies (`calendar.ahead`)."""
    skip: bool = False
    """Whether a weighted sum of the lagged values is added to the first parameter of the likelihood."""
    default_centre: float = 0.0
    """What DEVIATION subtracts where a context holds nothing observed."""
    spread: tuple[float, ...] = ()
    """For each step of a forecast what its paths' distances to their median are multiplied by (`spread`); or none."""

    @property
    def covariates(self) -> int:
        """Known numbers of each step: dynamic_feat, calendar features, age, perhaps how far ahead it lies."""
        return self.dynamic_features + self.calendar_features + 1 + int(self.ahead)

    @property
    def inputs(self) -> int:
        """Numbers that the first layer sees at a step: lags, embeddings, log scale, covariates, in that order."""
        return len(self.lags) + len(self.cardinality) * self.embedding_dimension + 1 + self.covariates

    @property
    def scales(self) -> bool:
        """Whether values are scaled at all: those of a beta distribution lie between 0 and 1 as they are."""
        return self.likelihood != "beta"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array."""
        outputs = len(PARAMETERS[self.likelihood])
        shapes: dict[str, tuple[int, ...]] = {}
        for number, size in enumerate(self.cardinality):
            shapes[f"embedding.{number}"] = (size, self.embedding_dimension)
        for layer in range(self.layers):
            inputs = self.cells if layer else self.inputs
            shapes[f"layer.{layer}.input"] = (4 * self.cells, inputs)
            shapes[f"layer.{layer}.hidden"] = (4 * self.cells, self.cells)
            shapes[f"layer.{layer}.bias"] = (4 * self.cells,)
        shapes |= {"output.weight": (outputs, self.cells), "output.bias": (outputs,)}
        return shapes | ({"skip": (len(self.lags),)} if self.skip else {})

    @classmethod
    def parse(cls, content: object) -> Self:
        """What `content`, JSON values, describes; raises ValueError saying what is wrong with it."""
        wanted = {field.name for field in fields(cls)}
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")  # noqa: TRY004 - a file is wrong, no argument
        if set(content) != wanted:
            raise ValueError(
                f"expected the fields {', '.join(sorted(wanted))}, found {', '.join(sorted(content))[:400]}"
            )
        read: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
        }
        architecture = cls(**read)
        _require_numbers(architecture)
        _require_words(architecture)
        _require_time(architecture)
        if max(math.prod(shape) for shape in architecture.shapes().values()) > LARGEST_ARRAY:
            raise ValueError(f"an array of more than {LARGEST_ARRAY} numbers is described")
        return architecture


@dataclass(frozen=True)
class Parameters:
    """A network: its architecture, and its arrays by name, float32."""

    architecture: Architecture
    arrays: Mapping[str, Floats]

    @property
    def memory_bytes(self) -> int:
        """What the arrays take."""
        return sum(array.nbytes for array in self.arrays.values())

    def save(self, directory: Path) -> tuple[str, ...]:
        """Write both files, each whole or not at all; their names."""
        safetensors.write(directory / ARRAYS, self.arrays, {"format": "sagedock-deepar-1"})
        text = json.dumps(asdict(self.architecture), indent=1, sort_keys=True)
        write_bytes(directory / DESCRIPTION, text.encode())
        return DESCRIPTION, ARRAYS

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Raises ModelError for what is not what `save` wrote."""
        try:
            architecture = Architecture.parse(json.loads((directory / DESCRIPTION).read_bytes()))
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{directory / DESCRIPTION} describes no DeepAR network: {error}") from error
        try:
            arrays = safetensors.read(directory / ARRAYS).arrays
            require_arrays(architecture, arrays)
        except (OSError, ValueError) as error:
            raise ModelError(f"{directory / ARRAYS} does not hold the network of {DESCRIPTION}: {error}") from error
        return cls(architecture, arrays)


def require_arrays(architecture: Architecture, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise ValueError unless the arrays are those of the architecture and hold finite numbers."""
    shapes = architecture.shapes()
    if set(arrays) != set(shapes):
        raise ValueError(f"expected the arrays {', '.join(sorted(shapes))}, found {', '.join(sorted(arrays))[:400]}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.dtype != np.float32 or array.shape != shape:
            raise ValueError(f"{name} is {array.dtype} {array.shape}, expected float32 {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds what is no finite number")


def _require_numbers(built: Architecture) -> None:
    for name in ("context_length", "prediction_length", "cells", "layers", "embedding_dimension"):
        _require_whole(name, getattr(built, name), 1)
    for name in ("dynamic_features", "calendar_features"):
        _require_whole(name, getattr(built, name), 0)
    for name in ("lags", "cardinality"):
        numbers = getattr(built, name)
        if not isinstance(numbers, tuple):
            raise ValueError(f"{name} is no list")  # noqa: TRY004 - a file is wrong, no argument
        for number in numbers:
            _require_whole(name, number, 1)
    _require_figures("default_scale", (built.default_scale,), above=0)
    _require_figures("default_centre", (built.default_centre,))
    if not isinstance(built.spread, tuple) or len(built.spread) not in {0, built.prediction_length}:
        raise ValueError("spread is no list of as many numbers as prediction_length, or none")
    _require_figures("spread", built.spread, above=0)


def _require_figures(name: str, figures: Sequence[Any], above: float = -math.inf) -> None:
    for figure in figures:
        number = isinstance(figure, int | float) and not isinstance(figure, bool)
        if not number or not above < figure or not -sys.float_info.max <= figure <= sys.float_info.max:
            raise ValueError(f"{name} holds {str(figure)[:40]!r}, no finite number{' above 0' if above == 0 else ''}")


def _require_words(built: Architecture) -> None:
    if not isinstance(built.likelihood, str) or built.likelihood not in PARAMETERS:
        raise ValueError(f"likelihood is {str(built.likelihood)[:40]!r}: known are {', '.join(PARAMETERS)}")
    known = built.scaling in (MEAN, DEVIATION) and isinstance(built.frequency, str)
    if not known or any(type(each) is not bool for each in (built.skip, built.residual, built.ahead)):
        raise ValueError("scaling, skip, residual, ahead or frequency is none that is known")
    if built.likelihood not in LOCATED and (built.scaling == DEVIATION or built.skip or built.spread):
        raise ValueError(f"likelihood {built.likelihood} has no location to be moved by scaling, skip or spread")
    if not built.lags or list(built.lags) != sorted(set(built.lags)):
        raise ValueError("lags do not ascend")
    if max(built.layers, len(built.lags), len(built.cardinality)) > MOST_PARTS:
        raise ValueError(f"it has more than {MOST_PARTS} layers, lags or categories")


def _require_time(built: Architecture) -> None:
    """Raise ValueError unless the calendar is that of the frequency, and what is seen of a series has an end."""
    features = len(calendar.names(Frequency.parse(built.frequency)))
    if built.calendar_features != features:
        raise ValueError(f"calendar_features is {built.calendar_features}: frequency {built.frequency} has {features}")
    if built.context_length + built.prediction_length + built.lags[-1] > MOST_STEPS:
        raise ValueError(f"context_length, prediction_length and the longest of lags are more than {MOST_STEPS} steps")


def _require_whole(name: str, value: object, least: int) -> None:
    if type(value) is not int or not least <= value < 1 << 31:
        raise ValueError(f"{name} is {str(value)[:40]!r}, expected whole numbers from {least}")
