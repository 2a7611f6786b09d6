"""The two matrices of a model in training: made, copied and put back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_PADDING = 16  # numbers, 64 bytes


class Trainer(Protocol):
    """Whoever trains a model, between two epochs."""

    @property
    def input(self) -> NDArray[np.float32]:
        """(rows, dim)."""

    @property
    def output(self) -> NDArray[np.float32]:
        """(words or labels, dim)."""


@dataclass(frozen=True)
class Weights:
    """The input and the output matrix."""

    input: NDArray[np.float32]
    output: NDArray[np.float32]

    @classmethod
    def of(cls, trainer: Trainer) -> Weights:
        """The trainer's own, which go on changing."""
        return cls(trainer.input, trainer.output)

    def copy(self, into: Weights | None = None) -> Weights:
        """A copy, in the memory of another one where that is given."""
        if into is None:
            return Weights(self.input.copy(), self.output.copy())
        into.put(self)
        return into

    def put(self, other: Weights) -> None:
        """Take over the numbers of `other`, of the same shape."""
        np.copyto(self.input, other.input)
        np.copyto(self.output, other.output)


def padded(rows: int, columns: int) -> NDArray[np.float32]:
    """A matrix of zeros (rows, columns and more) whose rows begin at multiples of 64 bytes, for the compiled core."""
    stride = -(-columns // _PADDING) * _PADDING
    memory = np.zeros(rows * stride + _PADDING, np.float32)
    first = -memory.ctypes.data % 64 // 4
    return memory[first : first + rows * stride].reshape(rows, stride)
