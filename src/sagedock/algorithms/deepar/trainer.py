"""Training the network epoch by epoch: windows, steps, the average loss, and what a checkpoint keeps of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithm import Cluster, Context
from sagedock.algorithms.deepar.adam import Adam
from sagedock.algorithms.deepar.held_out import HeldOut
from sagedock.algorithms.deepar.journal import Journal
from sagedock.algorithms.deepar.network import Batch, Network, batch_of
from sagedock.algorithms.deepar.parameters import Floats, Parameters
from sagedock.algorithms.deepar.paths import with_own_paths
from sagedock.algorithms.deepar.settings import Settings
from sagedock.algorithms.deepar.windows import Passes, Windows
from sagedock.errors import UserError

Tensor = Any


@dataclass(frozen=True)
class Epoch:
    """What an epoch was: its average loss, and its windows."""

    loss: float
    examples: int


@dataclass
class Trainer:
    """Trains `network` on `windows`; what it draws depends on the seed, the host and the epoch alone."""

    network: Network
    windows: Windows
    settings: Settings
    held_out: HeldOut | None = None
    device: str = "cpu"
    rank: int = 0
    _average: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self._adam = Adam(list(self.network.tensors.values()))
        self._average = [tensor.detach().clone() for tensor in self._adam.tensors] if self.settings.average else []
        self.passes = Passes.of(len(self.windows.eligible), self.settings.batch)

    def epoch(self, number: int, context: Context, journal: Journal) -> Epoch | None:
        """Train epoch `number`, from 0; None when SIGTERM broke it off, which it does not do to the first.

        Raises UserError when training diverges.
        """
        random = np.random.default_rng([self.settings.seed, self.rank, number])
        generator = torch.Generator(self.device).manual_seed(int(random.integers(2**62)))
        chosen = self.windows.draw(self.passes, random)
        begin, total, seen, count = time.monotonic(), 0.0, 0, math.ceil(len(chosen) / self.settings.batch)
        for place, part in enumerate(chosen.batches(self.settings.batch)):
            if number and context.should_stop():
                return None
            found = self.windows.gather(part)
            batch = batch_of(found.values, found.observed, found.covariates, found.cat).to(self.device)
            total += self._step(batch, number + place / count, generator)
            seen += len(part)
            require_finite(total)
            journal.batch(number, place, total / (place + 1), seen, time.monotonic() - begin)
        return Epoch(total / count, seen)

    def _step(self, batch: Batch, epochs: float, generator: Any) -> float:
        """One step, after so many epochs; the loss before it."""
        share = self.settings.own_share(epochs / self.settings.epochs)
        seen = with_own_paths(self.network, batch, share, generator) if share else None
        seasonal = self.settings.seasonal
        loss = self.network.loss(batch, self.settings.zoneout, generator, relative=seasonal, seen=seen)
        loss.backward()
        self._adam.step(self.rate(epochs))
        if self._average:
            kept = min(self.settings.average, self._adam.steps / (self._adam.steps + 9))
            with torch.no_grad():
                torch._foreach_lerp_(self._average, self._adam.tensors, 1 - kept)
        return float(loss.item())

    def rate(self, epochs: float) -> float:
        """The learning rate after so many epochs: constant, or a rise and then a fall by a cosine to 0."""
        warm, done = self.settings.warm_up, epochs / self.settings.epochs
        if not warm:
            return self.settings.learning_rate
        falling = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        return self.settings.learning_rate * min(1.0, (done + 1e-3) / warm) * falling

    def held_out_loss(self) -> float | None:
        """That of the windows that are not learnt from, where there are some and something is known of them."""
        if self.held_out is None:
            return None
        loss = self.held_out.loss(Parameters(self.network.architecture, self.arrays()))
        return None if math.isnan(loss) else loss

    def arrays(self) -> Mapping[str, Floats]:
        """Those of the network as it would be used now, copied."""
        tensors = self._average or self._adam.tensors
        return {name: _array(tensor).copy() for name, tensor in zip(self.network.tensors, tensors, strict=True)}

    def state(self) -> dict[str, NDArray[Any]]:
        """What `restore` needs to go on as if nothing had happened."""
        parts = {f"{kind}.{name}": _array(tensor) for kind, name, tensor in self._parts()}
        return parts | {"steps": np.asarray([self._adam.steps], np.int64)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state; raises ValueError and KeyError for one of another network."""
        for kind, name, tensor in self._parts():
            array = state[f"{kind}.{name}"]
            if array.shape != tuple(tensor.shape) or array.dtype != np.float32:
                raise ValueError(f"{kind}.{name} does not fit the network")
            tensor.detach().copy_(torch.from_numpy(array.copy()))
        self._adam.steps = int(state["steps"][0])

    def average_over(self, cluster: Cluster, weight: float) -> None:
        """Let every host go on from the mean of all hosts' states."""
        if len(cluster.hosts) == 1:
            return
        state = {name: np.array(array, np.float32, order="C") for name, array in self.state().items()}
        cluster.mean(list(state.values()), weight)
        self.restore(state)

    def _parts(self) -> list[tuple[str, str, Tensor]]:
        lists: Sequence[tuple[str, Sequence[Tensor]]] = (
            ("weights", self._adam.tensors),
            ("first", self._adam.first),
            ("second", self._adam.second),
            ("average", self._average),
        )
        names = list(self.network.tensors)
        return [(kind, name, each) for kind, tensors in lists for name, each in zip(names, tensors, strict=False)]


def require_finite(loss: float) -> None:
    """Raise UserError for a loss that is no number any more."""
    if not math.isfinite(loss):
        raise UserError(
            "training diverged: the loss is no finite number any more; lower learning_rate (a tenth of it, say), and "
            "look for values in target or dynamic_feat that are larger than all others by far",
            field="learning_rate",
        )


def _array(tensor: Tensor) -> Floats:
    found: Floats = tensor.detach().cpu().numpy()
    return found
