"""One LSTM layer over time with zoneout (Krueger et al., 2017), forwards and backwards, for torch.

What the inputs add to the gates is one product over all steps, made by the caller; here is what goes from step to step.
The compiled core does it on a CPU; without it, and on a GPU, it is done in torch by the same formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from sagedock import core
from sagedock.recurrence_core import RecurrenceCore

Tensor = Any


@dataclass(frozen=True)
class Kept:
    """Which numbers of the states stay what they were at a step, (T, B, H) booleans each."""

    hidden: Tensor
    cell: Tensor


class Recurrence(torch.autograd.Function):  # type: ignore[misc] # torch is not followed by the type checker
    """Gates (T, B, 4 H) before their functions and weights (4 H, H) to outputs (T, B, H), from a state of zeros.

    The outputs are the new hidden states before zoneout, which acts on what is carried to the next step. The gates'
    memory is used up: they are overwritten.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, kept: Kept | None) -> Tensor:
        """The outputs."""
        run = _compiled_forward if _compiled(gates) else _torch_forward
        tape = run(gates.detach().contiguous(), weight.detach(), kept)
        ctx.tape, ctx.kept = tape, kept
        ctx.save_for_backward(weight)
        return tape.outputs

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, Tensor, None]:
        """Of the outputs' slopes those of the gates and of the weights."""
        (weight,) = ctx.saved_tensors
        run = _compiled_backward if _compiled(slopes) else _torch_backward
        gate_slopes = run(ctx.tape, slopes.contiguous(), weight, ctx.kept)
        steps, rows, cells = slopes.shape
        flat = gate_slopes.view(steps * rows, 4 * cells)
        weight_slopes = flat.t() @ ctx.tape.hidden[:-1].reshape(steps * rows, cells)
        return gate_slopes, weight_slopes, None


def encoded(gates: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The outputs (T, B, H), and the hidden and cell states behind the last step (B, H); the gates are used up."""
    run = _compiled_forward if _compiled(gates) else _torch_forward
    tape = run(gates.detach().contiguous(), weight.detach(), None)
    return tape.outputs, tape.hidden[-1], tape.cell[-1]


@dataclass(frozen=True)
class _Tape:
    """What the way back needs: gates after their functions (T, B, 4 H); states before each step and behind the last
    (T + 1, B, H); tanh of the new cell states, and outputs (T, B, H).
    """

    gates: Tensor
    hidden: Tensor
    cell: Tensor
    squashed: Tensor
    outputs: Tensor


def _compiled(tensor: Tensor) -> bool:
    return core.native is not None and tensor.device.type == "cpu"


def _native() -> RecurrenceCore:
    return cast("RecurrenceCore", core.native)


def _new_tape(gates: Tensor, cells: int) -> _Tape:
    steps, rows, _ = gates.shape
    hidden, cell = gates.new_empty((2, steps + 1, rows, cells))
    hidden[0] = cell[0] = 0.0
    squashed, outputs = gates.new_empty((2, steps, rows, cells))
    return _Tape(gates, hidden, cell, squashed, outputs)


def _compiled_forward(gates: Tensor, weight: Tensor, kept: Kept | None) -> _Tape:
    tape = _new_tape(gates, weight.shape[1])
    _native().recurrence_forward(weight.numpy(), **_arrays(tape, kept))
    return tape


def _compiled_backward(tape: _Tape, slopes: Tensor, weight: Tensor, kept: Kept | None) -> Tensor:
    found = torch.empty_like(tape.gates)
    _native().recurrence_backward(
        weight.detach().numpy(), **_arrays(tape, kept), slopes=slopes.numpy(), found=found.numpy()
    )
    return found


def _arrays(tape: _Tape, kept: Kept | None) -> dict[str, Any]:
    """What the core is given of a tape."""
    given = {name: getattr(tape, name).numpy() for name in ("gates", "hidden", "cell", "squashed", "outputs")}
    if kept is None:
        return given | {"kept_hidden": None, "kept_cell": None}
    return given | {"kept_hidden": kept.hidden.numpy().view(np.uint8), "kept_cell": kept.cell.numpy().view(np.uint8)}


def _torch_forward(gates: Tensor, weight: Tensor, kept: Kept | None) -> _Tape:
    cells = weight.shape[1]
    tape, turned = _new_tape(gates, cells), weight.t().contiguous()
    for step in range(len(gates)):
        gate = tape.gates[step]
        gate.addmm_(tape.hidden[step], turned)
        gate[:, : 2 * cells].sigmoid_()
        gate[:, 2 * cells : 3 * cells].tanh_()
        gate[:, 3 * cells :].sigmoid_()
        into, forget, new, out = gate.split(cells, 1)
        torch.mul(forget, tape.cell[step], out=tape.cell[step + 1]).addcmul_(into, new)
        torch.tanh(tape.cell[step + 1], out=tape.squashed[step])
        torch.mul(out, tape.squashed[step], out=tape.outputs[step])
        tape.hidden[step + 1].copy_(tape.outputs[step])
        if kept is not None:
            torch.where(kept.hidden[step], tape.hidden[step], tape.outputs[step], out=tape.hidden[step + 1])
            tape.cell[step + 1].copy_(torch.where(kept.cell[step], tape.cell[step], tape.cell[step + 1]))
    return tape


def _torch_backward(tape: _Tape, slopes: Tensor, weight: Tensor, kept: Kept | None) -> Tensor:
    cells = weight.shape[1]
    found = torch.empty_like(tape.gates)
    hidden = torch.zeros_like(slopes[0])
    cell = torch.zeros_like(hidden)
    for step in reversed(range(len(slopes))):
        into, forget, new, out = tape.gates[step].split(cells, 1)
        squashed, before = tape.squashed[step], tape.cell[step]
        carried, held = (hidden, cell) if kept is None else _zoned(hidden, cell, kept, step)
        output = slopes[step] + (hidden if kept is None else hidden - carried)
        fresh = (cell if kept is None else cell - held) + output * out * (1 - squashed * squashed)
        gate = found[step]
        gate[:, :cells] = fresh * new * into * (1 - into)
        gate[:, cells : 2 * cells] = fresh * before * forget * (1 - forget)
        gate[:, 2 * cells : 3 * cells] = fresh * into * (1 - new * new)
        gate[:, 3 * cells :] = output * squashed * out * (1 - out)
        cell = fresh * forget + (0 if kept is None else held)
        hidden = gate @ weight + (0 if kept is None else carried)
    return found


def _zoned(hidden: Tensor, cell: Tensor, kept: Kept, step: int) -> tuple[Tensor, Tensor]:
    """The parts of the slopes that pass by the step, since zoneout kept the states."""
    return hidden * kept.hidden[step], cell * kept.cell[step]
