"""What a job asks of the training: sizes, steps, and the recipe."""

from __future__ import annotations

from dataclasses import dataclass

from sagedock.algorithms.deepar import calendar
from sagedock.algorithms.deepar.hyperparameters import SEASONAL
from sagedock.algorithms.deepar.lags import lags
from sagedock.algorithms.deepar.layout import Layout
from sagedock.algorithms.deepar.parameters import DEVIATION, LOCATED, MEAN, Architecture
from sagedock.algorithms.deepar.statistics import Statistics
from sagedock.contracts.hyperparameters import Values

_WARM_UP = 0.05
_SEASONAL_AVERAGE = 0.99
_TRUTH, _RAMP = 0.5, 0.2


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
