"""One device's copy of the network: what it makes of pictures, its gradients, and its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import losses, optimisers
from sagedock.algorithms.image_classification.loss_scale import LossScale
from sagedock.algorithms.image_classification.networks import Network
from sagedock.algorithms.image_classification.optimisers import Arrays
from sagedock.errors import UserError

Pictures = NDArray[Any]
"""(n, C, H, W) from 0 to 255, or features (n, width) where the backbone is frozen."""
Floats = NDArray[np.float32]

_SMALLEST_STATISTICS = 8
"""Pictures this low leave one number a channel of the last stage, of which there are no statistics."""
_WEIGHTS, _OPTIMISER, _SCALE = "weights.", "optimiser.", "loss_scale"


@dataclass(frozen=True)
class Step:
    """What the network said of a batch while it learnt it: the mean loss, and logits (n, classes)."""

    loss: float
    logits: Floats


class Replica:
    """A network on its device, in channels-last order, which its convolutions are faster in."""

    def __init__(
        self,
        network: Network,
        values: Mapping[str, Any],
        device: str = "cpu",
        positive_weights: Floats | None = None,
        parallel: Callable[[torch.nn.Module], torch.nn.Module] = lambda module: module,
    ) -> None:
        self.device = device
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self._frozen = bool(values["_frozen_backbone"])
        self._alone = values["mini_batch_size"] == 1 and network.image_shape[1] > _SMALLEST_STATISTICS
        self._multi_label = bool(values["multi_label"])
        self._half = values["precision_dtype"] == "float16" and device.startswith("cuda")
        self._learnt = network.head if self._frozen else network
        self._module = self._learnt if self._frozen else parallel(self._learnt)  # a head learns on the first device
        self._loss = losses.build(multi_label=self._multi_label, positive_weights=positive_weights)
        self._scale = LossScale() if self._half else LossScale.fixed()
        self._optimiser = optimisers.build(values, self._learnt)
        torch.backends.cudnn.benchmark = device.startswith("cuda")

    def differentiate(self, pictures: Pictures, labels: NDArray[Any], share: float = 1.0) -> Step:
        """Leave the gradients of `share` times the mean loss of a batch."""
        self._teach(not self._frozen and (len(pictures) > 1 or self._alone))
        with self._autocast(), _Room():
            logits = self._module(self._tensor(pictures))
            loss = self._loss(logits, self._tensor(labels))
            (loss * (share * self._scale.scale)).backward()
        return Step(loss.item(), cast("Floats", logits.detach().float().cpu().numpy()))

    def gradients(self) -> torch.Tensor:
        """All of them in one row, a copy; zeros before `differentiate`."""
        rows = [
            torch.zeros_like(each).ravel() if each.grad is None else each.grad.ravel()
            for each in self._optimiser.parameters
        ]
        return torch.cat(rows)

    def put_gradients(self, row: torch.Tensor) -> None:
        """Replace the gradients by those of a row."""
        begin = 0
        for each in self._optimiser.parameters:
            found = row[begin : begin + each.numel()].view(each.shape)
            each.grad = torch.empty_like(each).copy_(found)
            begin += each.numel()

    def advance(self, rate: float) -> None:
        """Step down the gradients, unless half precision made them overflow."""
        parameters = self._optimiser.parameters
        if self._scale.undone([each.grad for each in parameters]):
            self._optimiser.step(rate)
        for each in parameters:
            each.grad = None

    def probabilities(self, pictures: Pictures) -> Floats:
        """(n, classes): shares of one whole, or with multi_label each by itself; of features where they were cached."""
        module = self.network.head if pictures.ndim == 2 else self.network
        logits = self._applied(module, pictures)
        return cast("Floats", losses.probabilities(logits, multi_label=self._multi_label).cpu().numpy())

    def features(self, pictures: Pictures) -> Floats:
        """(n, width): what the head sees of pictures."""
        return cast("Floats", self._applied(self.network.features, pictures).float().cpu().numpy())

    def statistics(self) -> list[torch.Tensor]:
        """Of batch normalisation: running means and variances, the network's own."""
        return [each for name, each in self.network.named_buffers() if name.endswith(("running_mean", "running_var"))]

    def state(self) -> Arrays:
        """Copies of all that the next steps depend on."""
        weights = {f"{_WEIGHTS}{name}": each.cpu().numpy().copy() for name, each in self.network.tensors().items()}
        optimiser = {f"{_OPTIMISER}{name}": array for name, array in self._optimiser.state().items()}
        return {**weights, **optimiser, _SCALE: np.array([self._scale.scale, self._scale.good])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` gave. Raises KeyError and ValueError for one of another network or optimiser."""
        self.put(_part(state, _WEIGHTS))
        self._optimiser.restore(_part(state, _OPTIMISER))
        scale, good = state[_SCALE].tolist()
        if self._scale.moving:
            self._scale = LossScale(scale, int(good))

    def put(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over the tensors of a network, and nothing of the optimiser."""
        self.network.put({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})

    def _applied(self, function: Callable[[torch.Tensor], torch.Tensor], pictures: Pictures) -> torch.Tensor:
        self._teach(False)
        with torch.inference_mode(), self._autocast(), _Room():
            return function(self._tensor(pictures))

    def _teach(self, learning: bool) -> None:
        if self.network.training != learning:  # it goes through all modules, which takes longer than a step of the head
            self.network.train(learning)

    def _autocast(self) -> Any:
        return torch.autocast("cuda", torch.float16, enabled=self._half)

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
        return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


class _Room:
    """A block that ends in a UserError where a GPU's memory is not enough."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, torch.OutOfMemoryError):
            raise UserError(
                "the GPU's memory is not enough for a batch: give a smaller mini_batch_size, a smaller image_shape or "
                "fewer num_layers, or precision_dtype float16",
                field="mini_batch_size",
            ) from error


def _part(state: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
