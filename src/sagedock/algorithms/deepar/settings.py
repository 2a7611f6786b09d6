"""What a job asks of the training: sizes, steps, and the recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sagedock.algorithms.deepar import calendar
from sagedock.algorithms.deepar.hyperparameters import SEASONAL
from sagedock.algorithms.deepar.lags import lags
from sagedock.algorithms.deepar.layout import Layout
from sagedock.algorithms.deepar.parameters import DEVIATION, LOCATED, MEAN, Architecture
from sagedock.algorithms.deepar.statistics import Statistics
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError

_WARM_UP = 0.05
_SEASONAL_AVERAGE = 0.99
_TRUTH, _RAMP = 0.5, 0.2
_NUMBER = 4  # bytes
_COPIES = 4  # of the network in training: weights, slopes, and two moments of Adam
_GATES = 5  # numbers of each cell that a step keeps for the way back: four gates and the output


@dataclass(frozen=True)
class Settings:
    """How a network is trained."""

    epochs: int
    batch: int
    learning_rate: float
    zoneout: float
    patience: int | None
    seed: int
    seasonal: bool = False

    @classmethod
    def of(cls, values: Values) -> Settings:
        """As the hyperparameters say."""
        return cls(
            epochs=values["epochs"],
            batch=values["mini_batch_size"],
            learning_rate=values["learning_rate"],
            zoneout=values["dropout_rate"],
            patience=values.get("early_stopping_patience"),
            seed=values["_seed"],
            seasonal=values["_recipe"] == SEASONAL,
        )

    @property
    def average(self) -> float:
        """How much of the averaged weights is kept at a step; 0 where weights are not averaged."""
        return _SEASONAL_AVERAGE if self.seasonal else 0.0

    @property
    def warm_up(self) -> float:
        """The share of the training in which the learning rate rises, before it falls by a cosine; 0 for neither."""
        return _WARM_UP if self.seasonal else 0.0

    @property
    def own_paths_from(self) -> int | None:
        """The epoch, from 0, in which the network begins to see its own paths; None where it never does."""
        return int(_TRUTH * self.epochs) if self.seasonal else None

    def own_share(self, done: float) -> float:
        """The share of windows in whose horizon the network sees its own paths, when so much of the training is done:
        in the seasonal recipe it grows to 1 after a beginning by the truth alone, without which paths go astray.
        """
        return min(1.0, max(0.0, done - _TRUTH) / _RAMP) if self.seasonal else 0.0


def network_bytes(built: Architecture) -> int:
    """What the arrays of a network take."""
    return _NUMBER * sum(math.prod(shape) for shape in built.shapes().values())


def batch_bytes(built: Architecture, windows: int) -> int:
    """What so many windows take, as the network sees them."""
    steps = built.context_length + built.prediction_length
    return _NUMBER * windows * (steps * built.inputs + built.lags[-1])


def require_memory(built: Architecture, settings: Settings, available: int) -> None:
    """Raise UserError where the network, or a step of its training, surely does not fit into `available` bytes."""
    network = _COPIES * network_bytes(built)
    if network > available:
        raise UserError(
            f"a network of {built.layers} layers of {built.cells:,} cells takes {network:,} bytes of memory or more in "
            f"training, and {available:,} are available: lower num_cells, num_layers or embedding_dimension, or choose "
            "an instance with more memory",
            field="num_cells",
        )
    steps = built.context_length + built.prediction_length
    kept = _NUMBER * settings.batch * steps * built.layers * built.cells * _GATES
    batch = batch_bytes(built, settings.batch) + kept
    if network + batch > available:
        raise UserError(
            f"a batch of {settings.batch:,} windows of {steps:,} steps takes {batch:,} bytes of memory or more, and "
            f"{available - network:,} are available: lower mini_batch_size, context_length or num_cells, or choose an "
            "instance with more memory",
            field="mini_batch_size",
        )


def architecture(values: Values, layout: Layout, statistics: Statistics) -> Architecture:
    """The network for series of a layout; the scale it takes where nothing is known is that of all of them."""
    seasonal = values["_recipe"] == SEASONAL
    real = values["likelihood"].lower() in LOCATED
    return Architecture(
        frequency=values["time_freq"],
        context_length=values["context_length"],
        prediction_length=values["prediction_length"],
        likelihood=values["likelihood"].lower(),
        cells=values["num_cells"],
        layers=values["num_layers"],
        lags=lags(layout.frequency),
        cardinality=tuple(layout.cardinality or ()),
        embedding_dimension=values["embedding_dimension"],
        dynamic_features=layout.features or 0,
        calendar_features=len(calendar.names(layout.frequency)),
        default_scale=max(float(statistics.mean_absolute), 1e-10),
        default_centre=float(statistics.mean),
        scaling=DEVIATION if seasonal and real else MEAN,
        skip=seasonal and real,
        ahead=seasonal,
    )
