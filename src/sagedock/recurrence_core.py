"""What the compiled core has for training recurrent networks; `sagedock.core` is the door to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RecurrenceCore(Protocol):
    """An LSTM layer over T steps of B rows, with H cells; gates stand in the order input, forget, candidate, output.

    All arrays are changed in place. Both raise ValueError for arrays that do not fit together.
    """

    def recurrence_forward(
        self,
        weight: NDArray[np.float32],
        gates: NDArray[np.float32],
        hidden: NDArray[np.float32],
        cell: NDArray[np.float32],
        squashed: NDArray[np.float32],
        outputs: NDArray[np.float32],
        kept_hidden: NDArray[np.uint8] | None,
        kept_cell: NDArray[np.uint8] | None,
    ) -> None:
        """From `gates` (T, B, 4 H) before their functions, which become those behind, fill all that follows.

        `weight` (4 H, H); `hidden` and `cell` (T + 1, B, H), the first of which are given; tanh of the new cell states
        and outputs (T, B, H); where zoneout keeps states, 1 in (T, B, H).
        """

    def recurrence_backward(
        self,
        weight: NDArray[np.float32],
        gates: NDArray[np.float32],
        hidden: NDArray[np.float32],
        cell: NDArray[np.float32],
        squashed: NDArray[np.float32],
        outputs: NDArray[np.float32],
        kept_hidden: NDArray[np.uint8] | None,
        kept_cell: NDArray[np.uint8] | None,
        slopes: NDArray[np.float32],
        found: NDArray[np.float32],
    ) -> None:
        """Of what `recurrence_forward` filled and the outputs' slopes (T, B, H) those of the gates, to `found`."""
