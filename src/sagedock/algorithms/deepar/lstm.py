"""Layers of long short-term memory (Hochreiter and Schmidhuber, 1997) in NumPy.

The compiled core repeats the order of float operations (src/core/lstm.hpp): products are rounded before they are added,
one input after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_MOST = np.float32(60)
_SHIFT = np.float32(12582912)  # 1.5 * 2^23: what is added to it is rounded
_POWER_OF_TWO = (
    *(1.535336188319500e-4, 1.339887440266574e-3, 9.618437357674640e-3),
    *(5.550332471162809e-2, 2.402264791363012e-1, 6.931472028550421e-1, 1.0),
)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), exact to about 1e-7."""
    one = np.float32(1)
    turns = np.clip(x, -_MOST, _MOST) * np.float32(-1.44269504088896341)  # exp(-x) = 2^turns
    shifted = turns + _SHIFT
    rest = turns - (shifted - _SHIFT)
    power = np.full_like(rest, np.float32(_POWER_OF_TWO[0]))
    for coefficient in _POWER_OF_TWO[1:]:
        power = power * rest + np.float32(coefficient)
    bits = power.view(np.uint32) + (shifted.view(np.uint32) << np.uint32(23))
    return np.asarray(one / (one + bits.view(np.float32)), np.float32)


def tanh(x: Floats) -> Floats:
    """The hyperbolic tangent by way of `sigmoid`, exact to about 1e-7."""
    half = sigmoid(x + x)
    return (half + half) - np.float32(1)


@dataclass(frozen=True)
class Layer:
    """One LSTM layer; the gates stand one below the other: input, forget, cell, output, as in PyTorch.

    input_weights (4 * cells, inputs), hidden_weights (4 * cells, cells), bias (4 * cells,).
    """

    input_weights: Floats
    hidden_weights: Floats
    bias: Floats
    _columns: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        columns = np.concatenate([self.input_weights, self.hidden_weights], axis=1).T
        object.__setattr__(self, "_columns", np.ascontiguousarray(columns))

    @property
    def inputs(self) -> int:
        """How many numbers a step is given."""
        return int(self.input_weights.shape[1])

    @property
    def cells(self) -> int:
        """How many numbers its state has."""
        return int(self.hidden_weights.shape[1])

    def add(self, first: int, inputs: Floats, sums: Floats) -> Floats:
        """sums (..., 4 * cells) and what the inputs (..., n), numbers `first` on of a step's, add to them."""
        for weights, numbers in zip(self._columns[first:], np.moveaxis(inputs, -1, 0), strict=False):
            sums = sums + weights * numbers[..., None]
        return sums

    def step(self, sums: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats]:
        """The next hidden and cell states (paths, cells) of paths whose inputs made `sums`."""
        sums = self.add(self.inputs, hidden, sums)
        gate_in, gate_forget, candidate, gate_out = np.split(sums, 4, axis=-1)
        cell = sigmoid(gate_forget) * cell + sigmoid(gate_in) * tanh(candidate)
        return sigmoid(gate_out) * tanh(cell), cell
