"""What the compiled core has for forecasts; `sagedock.core` is the door to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Forecaster(Protocol):
    """A recurrent network that draws sample paths (`sagedock.algorithms.deepar.sampling` says how)."""

    @property
    def memory_bytes(self) -> int:
        """What it takes in memory, about."""

    def sample(
        self,
        *,
        history: NDArray[np.float32],
        covariates: NDArray[np.float32],
        statics: NDArray[np.float32],
        scales: NDArray[np.float64],
        keys: NDArray[np.uint64],
        first: int,
        samples: NDArray[np.float32],
    ) -> None:
        """Fill `samples` (series, paths, horizon), in units of each series' scale, with paths `first` and following.

        history (series, context + longest lag), covariates (series, context + horizon, covariates), statics (series,
        statics), scales and keys (series,). Raises ValueError for other shapes.
        """


class ForecastCore(Protocol):
    """The part of sagedock._core that is about forecasts."""

    def Forecaster(  # noqa: N802 - a class
        self,
        *,
        layers: Sequence[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]],
        lags: Sequence[int],
        statics: int,
        covariates: int,
        context: int,
        likelihood: str,
        outputs: NDArray[np.float32],
        output_bias: NDArray[np.float32],
        skip: NDArray[np.float32] | None,
        residual: bool,
    ) -> Forecaster:
        """A network of LSTM layers; raises ValueError when its arrays do not fit one another."""
